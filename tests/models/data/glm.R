# Binary and count outcomes with cluster-robust inference, on the tables beside this script: Rscript glm.R
suppressMessages({library(clubSandwich);library(sandwich);library(jsonlite)})
tab<-function(x) {x<-as.data.frame(x); x<-cbind(term=rownames(x),x); rownames(x)<-NULL; x}
tight<-glm.control(epsilon=1e-15,maxit=100)
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control")
d$high<-as.numeric(d$y1>median(d$y1))      # about a half
d$rare<-as.numeric(d$y1>18)                # about one in six
d$count<-pmax(0,round(d$y1))               # overdispersed
d$sparse<-pmax(0,round(d$y1)-15)            # mostly zero
b<-read.csv("btheb.csv",stringsAsFactors=TRUE); b$treatment<-relevel(b$treatment,"TAU"); b$subject<-factor(seq_len(nrow(b)))
L<-reshape(b,idvar="subject",varying=c("bdi.2m","bdi.3m","bdi.5m","bdi.8m"),v.names="bdi",times=c(2,3,5,8),timevar="time",direction="long")
L<-na.omit(L); L$ill<-as.numeric(L$bdi>=14)
# Standardisation: the arm set to 0 and 1 for everyone, averaged; gradient of the mean by the chain rule.
case<-function(formula,family,data,arm,cluster,cr3=TRUE){
 data$cl<-cluster; m<-glm(formula,family,data,control=tight); V<-vcovCR(m,cluster=data$cl,type="CR2")
 X<-model.matrix(m); k<-grep(arm,colnames(X)); X0<-X1<-X; X0[,k]<-0; X1[,k]<-1
 mean0<-function(X) mean(m$family$linkinv(drop(X%*%coef(m)))); grad<-function(X) colMeans(m$family$mu.eta(drop(X%*%coef(m)))*X)
 est<-c(mean0(X0),mean0(X1)); est<-c(est,est[2]-est[1]); G<-rbind(grad(X0),grad(X1)); G<-rbind(G,G[2,]-G[1,])
 se<-function(V) sqrt(rowSums((G%*%V)*G))
 df<-sapply(1:3,function(i) linear_contrast(m,vcov=V,contrasts=G[i,,drop=FALSE],test="Satterthwaite")$df)
 list(formula=deparse(formula),family=family,n=nrow(X),clusters=length(unique(cluster)),
  model=tab(summary(m)$coefficients),cr2=tab(coef_test(m,vcov=V,test="Satterthwaite")),vcov_cr2=unname(as.matrix(V)),
  hc3=unname(sqrt(diag(vcovHC(m,type="HC3")))),
  cr0=unname(sqrt(diag(vcovCR(m,cluster=data$cl,type="CR0")))),cr3=if(cr3) unname(sqrt(diag(vcovCR(m,cluster=data$cl,type="CR3")))),
  marginal=data.frame(term=c("control","intervention","difference"),estimate=est,se_model=se(vcov(m)),se_hc3=se(vcovHC(m,type="HC3")),se_cr2=se(V),df=df))}
out<-list(
 binary=case(high~arm+y0+trust,"binomial",d,"^arm",d$team),
 rare=case(rare~arm+y0,"binomial",d,"^arm",d$team),
 count=case(count~arm+y0+trust,"poisson",d,"^arm",d$team),
 sparse=case(sparse~arm+y0+age,"poisson",d,"^arm",d$team),
 few_clusters=case(high~arm+y0,"binomial",d,"^arm",d$trust),
 own_columns=case(count~arm+y0+trust,"poisson",d,"^arm",d$trust,cr3=FALSE), # a Trust alone identifies its column: CR3 is not defined
 many_clusters_binary=case(ill~treatment+bdi.pre+time,"binomial",L,"^treatment",L$subject),
 many_clusters_count=case(bdi~treatment+bdi.pre+time,"poisson",L,"^treatment",L$subject))
out$session<-capture.output(sessionInfo())
write_json(out,"glm.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE,dataframe="rows")
print(out[setdiff(names(out),"session")])
