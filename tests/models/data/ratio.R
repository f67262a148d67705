# Fieller's limits of a ratio a/b: the roots of |a - r b| = t se(a - r b), searched for on either side of a/b: Rscript ratio.R
suppressMessages(library(jsonlite))
gap<-function(r,x) abs(x$a-r*x$b)-qt(.5+x$level/2,x$df)*sqrt(x$vaa-2*r*x$vab+r^2*x$vbb)
root<-function(x,side) { r<-x$a/x$b; step<-1e-3*max(abs(r),1e-3)
 while(gap(r+side*step,x)<0) {step<-2*step; if(step>1e18) return(NA)}
 uniroot(gap,sort(r+side*c(step/2,step)),x=x,tol=1e-300,maxiter=10000)$root }
cases<-list(
 list(a=850,b=.05,vaa=150^2,vab=.3*150*.008,vbb=.008^2,df=4,level=.95),
 list(a=850,b=.05,vaa=150^2,vab=.3*150*.008,vbb=.008^2,df=Inf,level=.95),
 list(a=-850,b=.05,vaa=150^2,vab=-.6*150*.012,vbb=.012^2,df=3.2,level=.9),
 list(a=120,b=-2.4,vaa=400^2,vab=.1*400*.31,vbb=.31^2,df=4.7,level=.95),
 list(a=-30,b=-2.4,vaa=400^2,vab=-.9*400*.31,vbb=.31^2,df=140,level=.99),
 list(a=0,b=1.5,vaa=2,vab=.2,vbb=.1,df=9,level=.8))
out<-list(cases=lapply(cases,function(x) {x$low<-root(x,-1); x$high<-root(x,1); if(is.infinite(x$df)) x$df<-NULL; x}))
out$session<-capture.output(sessionInfo())
write_json(out,"ratio.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE); print(sapply(out$cases,function(x) c(x$low,x$high)))
