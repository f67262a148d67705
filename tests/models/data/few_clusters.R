# Joint cluster-robust tests and intervals for the intraclass correlation: Rscript few_clusters.R
suppressMessages({library(clubSandwich);library(jsonlite)})
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control"); d$costk<-d$cost/1000
out<-list()
joint<-function(formula,terms,kind) { o<-lm(formula,d)
 w<-Wald_test(o,constraints=constrain_zero(terms),vcov=kind,cluster=d$team,test="HTZ")
 list(formula=deparse(formula),terms=terms,kind=kind,Fstat=w$Fstat,df_num=w$df_num,df_denom=w$df_denom,p_val=w$p_val) }
out$joint<-list(joint(y1~arm+y0+age+female,c("y0","age","female"),"CR2"),
 joint(y1~arm+y0+age+female,c("armintervention","age"),"CR2"),
 joint(y1~arm+y0+age+female,c("armintervention","age"),"CR1"),
 joint(y1~arm+y0+age+female,c("armintervention","age"),"CR3"),
 joint(y1~arm+y0+trust,c("y0","armintervention"),"CR2"),
 joint(costk~arm+y0+age,c("armintervention"),"CR2"))
# Wald's interval by brute force: generalised least squares at a given ratio r, sum of squares between
# = RSS(X; V = I + r ZZ') weighted, less the sum of squares within, each solved for r by uniroot.
icc<-function(outcome,level) { y<-d[[outcome]]; X<-model.matrix(~arm+y0+trust,d); Z<-model.matrix(~0+team,d); n<-length(y)
 XZ<-cbind(X,Z); sse<-sum(lm.fit(XZ,y)$residuals^2); rk<-qr(XZ)$rank; dfb<-rk-ncol(X); dfw<-n-rk
 pivot<-function(r) { V<-diag(n)+r*Z%*%t(Z); Vi<-solve(V); P<-Vi-Vi%*%X%*%solve(t(X)%*%Vi%*%X)%*%t(X)%*%Vi
  ((drop(t(y)%*%P%*%y)-sse)/dfb)/(sse/dfw) }
 edge<-function(q) if(pivot(0)<=q) 0 else { r<-uniroot(function(r) pivot(r)-q,c(0,1e4),tol=1e-13)$root; r/(1+r) }
 a<-(1-level)/2; list(outcome=outcome,level=level,low=edge(qf(1-a,dfb,dfw)),high=edge(qf(a,dfb,dfw)),df_between=dfb,df_within=dfw) }
out$icc<-list(icc("y1",.95),icc("y1",.8),icc("costk",.95),icc("qaly",.95))
# Confidence sets of the sign-flip test by trying every centre on a fine grid
sets<-function(dd,level) { s<-as.matrix(expand.grid(rep(list(c(-1,1)),length(dd)))); grid<-seq(min(dd)-1,max(dd)+1,by=1e-4)
 p<-sapply(grid,function(c) mean(abs(s%*%(dd-c))>=abs(sum(dd-c))-1e-12)); inside<-grid[p>1-level+1e-12]; list(differences=dd,level=level,low=min(inside),high=max(inside)) }
out$sign_flip<-list(sets(c(-.5,2,1.2,3,.4),.9375),sets(c(-.5,2,1.2,3,.4),.75),sets(c(.3,-.7,2.2,.1,.9,1.4),.90625))
out$session<-capture.output(sessionInfo())
write_json(out,"few_clusters.json",digits=I(14),auto_unbox=TRUE,pretty=TRUE,dataframe="rows"); print(out[1:3])
