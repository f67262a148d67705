# Log link with variance mu^power and free dispersion, cluster-robust, on clustered_trial.csv: Rscript power.R
suppressMessages({library(clubSandwich);library(sandwich);library(statmod);library(jsonlite)})
tab<-function(x) {x<-as.data.frame(x); x<-cbind(term=rownames(x),x); rownames(x)<-NULL; x}
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control")
d$zeros<-ifelse(seq_len(nrow(d))%%6==0,0,d$cost)     # every sixth person costs nothing
d$zerosk<-d$zeros/1000; d$costk<-d$cost/1000
d$heavy<-ifelse(seq_len(nrow(d))==40,20*d$cost,d$zeros)
# Scoring to the last digit: glm stops when the deviance no longer changes, long before the coefficients; so it is started again.
# Above the power 2 scoring from the overall mean oversteps; it starts where the power 2 ended.
fit<-function(formula,family,data,power=0) {
 X<-model.matrix(formula,data); y<-model.response(model.frame(formula,data)); start<-if(power>2) coef(fit(formula,squared,data)) else c(log(mean(y)),rep(0,ncol(X)-1))
 for(again in 1:60) {m<-suppressWarnings(do.call(glm,list(formula,family,quote(data),start=start,control=glm.control(epsilon=1e-300,maxit=200)))); start<-coef(m)}
 m$converged<-TRUE; m }
case<-function(formula,family,power,cluster,data=d) {
 data$cl<-data[[cluster]]; m<-fit(formula,family,data,power); V<-vcovCR(m,cluster=data$cl,type="CR2"); S<-summary(m)
 X<-model.matrix(m); mu<-fitted(m); k<-grep("^arm",colnames(X)); X0<-X1<-X; X0[,k]<-0; X1[,k]<-1; b<-coef(m)
 G<-rbind(colMeans(exp(drop(X0%*%b))*X0),colMeans(exp(drop(X1%*%b))*X1)); G<-rbind(G,G[2,]-G[1,])
 est<-c(mean(exp(X0%*%b)),mean(exp(X1%*%b))); est<-c(est,est[2]-est[1]); se<-function(V) sqrt(rowSums((G%*%V)*G))
 df<-sapply(1:3,function(i) linear_contrast(m,vcov=V,contrasts=G[i,,drop=FALSE],test="Satterthwaite")$df)
 score<-colSums(X*(m$y-mu)*mu^(1-power))/colSums(abs(X)*(m$y+mu)*mu^(1-power))
 list(formula=deparse(formula),family=m$family$family,variance=paste0("mu^",power),power=power,cluster=cluster,n=nrow(X),score=max(abs(score)),dispersion=S$dispersion,
  model=tab(S$coefficients),cr2=tab(coef_test(m,vcov=V,test="Satterthwaite")),vcov_cr2=unname(as.matrix(V)),hc3=unname(sqrt(diag(vcovHC(m,type="HC3")))),
  cr0=unname(sqrt(diag(vcovCR(m,cluster=data$cl,type="CR0")))),cr3=if(nlevels(data$cl)>5) unname(sqrt(diag(vcovCR(m,cluster=data$cl,type="CR3")))),
  marginal=data.frame(term=c("control","intervention","difference"),estimate=est,se_model=se(vcov(m)),se_hc3=se(vcovHC(m,type="HC3")),se_cr2=se(V),df=df)) }
squared<-quasi(link="log",variance="mu^2"); between<-tweedie(var.power=1.5,link.power=0)
out<-list(
 gamma=case(cost~arm+y0+trust,Gamma(link="log"),2,"team"),
 squared_zeros=case(zeros~arm+y0+trust,squared,2,"team"),
 linear_zeros=case(zeros~arm+y0+trust,quasipoisson(),1,"team"),
 between_zeros=case(zeros~arm+y0+trust,between,1.5,"team"),
 between_thousands=case(zerosk~arm+y0+age,between,1.5,"team"),
 between_few_clusters=case(zerosk~arm+y0,between,1.5,"trust"),
 steep_heavy=case(heavy~arm+y0+trust,tweedie(var.power=1.8,link.power=0),1.8,"team"),
 squared_heavy=case(heavy~arm+y0+age,squared,2,"team"),
 above_gamma=case(cost~arm+y0+trust,tweedie(var.power=2.5,link.power=0),2.5,"team"),
 above_gamma_thousands=case(costk~arm+y0+age,tweedie(var.power=2.2,link.power=0),2.2,"team"),
 inverse_gaussian=case(cost~arm+y0+trust,inverse.gaussian(link="log"),3,"team"))
out$session<-capture.output(sessionInfo())
write_json(out,"power.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE,dataframe="rows")
for(n in setdiff(names(out),"session")) {cat(n,out[[n]]$score,"\n"); print(out[[n]]$cr2[2,]); print(out[[n]]$marginal)}
