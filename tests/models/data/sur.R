# CR2 of seemingly unrelated regressions: least squares on the whitened stack, each person twice: Rscript sur.R
suppressMessages({library(systemfit);library(clubSandwich);library(jsonlite)})
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control"); out<-list()
equations<-list(cost=cost~arm+y0+trust,qaly=qaly~arm+y0+age)
for(df in c(none="noDfCor",geometric="geomean")){
 s<-systemfit(equations,method="SUR",data=d,control=systemfit.control(methodResidCov=df))
 C<-t(chol(solve(s$residCovEst)))                     # C C' = inverse of Sigma; C' whitens a person's pair
 X<-lapply(equations,model.matrix,d); p<-sapply(X,ncol); n<-nrow(d)
 Z<-rbind(cbind(X[[1]],matrix(0,n,p[2])),cbind(matrix(0,n,p[1]),X[[2]])); colnames(Z)<-names(coef(s))
 W<-kronecker(t(C),diag(n)); Zw<-W%*%Z; colnames(Zw)<-colnames(Z); yw<-drop(W%*%c(d$cost,d$qaly)); team<-rep(d$team,2)
 size<-sqrt(colSums(Zw^2)); Zs<-sweep(Zw,2,size,"/")  # columns of pounds beside columns of years: clubSandwich would lose nine digits
 m<-lm(yw~0+Zs); V<-vcovCR(m,cluster=team,type="CR2"); t<-coef_test(m,vcov=V,test="Satterthwaite")
 stopifnot(max(abs(coef(m)/size/coef(s)-1))<1e-9)
 out[[names(which(c(none="noDfCor",geometric="geomean")==df))]]<-list(term=names(coef(s)),estimate=unname(coef(s)),se_model=unname(sqrt(diag(vcov(s)))),
  sigma_weights=unname(s$residCovEst),sigma=unname(s$residCov),correlation=s$residCov[1,2]/sqrt(prod(diag(s$residCov))),
  cr2=data.frame(estimate=t$beta/size,SE=t$SE/size,df=t$df_Satt,p=t$p_Satt),vcov_cr2=unname(as.matrix(V)/outer(size,size)))}
out$session<-capture.output(sessionInfo())
write_json(out,"sur.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE,dataframe="rows")
print(out[1:2])
