# What ten teams say of variances, and the power of a next trial averaged over it: restricted likelihood by whole matrices, both variances
# integrated by adaptive quadrature, power by the noncentral t of R; power.t.test and its sizes. Rscript assurance.R
suppressMessages(library(jsonlite)); d<-read.csv("clustered_trial.csv"); d$active<-1*(d$arm=="intervention"); TOL<-1e-10
X<-model.matrix(~active+y0+age+trust,d); Z<-model.matrix(~0+team,d); y<-d$y1; n<-nrow(X); p<-ncol(X)
# Below a limit: the whole, by the gamma distribution of 1 / s.
share<-function(q,v) pgamma(1/v^2,(n-p)/2,q[2]/2,lower.tail=FALSE)*inner(q,function(s) 1+0*s)
# Of the total variance s and the correlation r: V = s (r ZZ' + (1 - r) I).
at<-function(r) {V<-r*tcrossprod(Z)+(1-r)*diag(n); W<-chol2inv(chol(V)); A<-crossprod(X,W%*%X); P<-W-W%*%X%*%solve(A,t(X)%*%W)
 c(-.5*as.numeric(determinant(V)$modulus)-.5*as.numeric(determinant(A)$modulus),as.numeric(t(y)%*%P%*%y))}
top<-optimize(function(r) {q<-at(r); q[1]-(n-p)/2*log(q[2])},c(0,.9),maximum=TRUE)$objective
# Density of r, the total variance integrated over log s with the prior 1 / s.
inner<-function(q,g) {c0<-log(q[2]/(n-p)); e<-12*sqrt(2/(n-p)); f<-function(u) g(exp(u))*exp(q[1]-(n-p)/2*(u-c0)-q[2]/2*exp(-u)+(n-p)/2-top-(n-p)/2*c0)
 integrate(f,c0-e,c0+e,rel.tol=TOL,abs.tol=0,subdivisions=1000,stop.on.error=FALSE)$value}
over<-function(a,b,g,lo=0,hi=1,v0=NULL) {ends<-c(lo,1e-8,1e-6,1e-4,.001,.01,.03,.06,.1,.15,.2,.3,.4,.5,.6,.7,.8,.9,.97,.999,hi); ends<-sort(unique(ends[ends>=lo&ends<=hi]))
 # Over the square root of r, as the prior may have a pole at zero.
 f<-function(v) sapply(v,function(w) {r<-w^2; if (w<=0||r>=1) return(0); 2*w*r^(a-1)*(1-r)^(b-1)*(if (is.null(v0)) inner(at(r),function(s) g(s,r)) else share(at(r),v0))})
 sum(mapply(function(l,h) integrate(f,sqrt(l),sqrt(h),rel.tol=TOL,abs.tol=0,subdivisions=500,stop.on.error=FALSE)$value,head(ends,-1),tail(ends,-1)))}
power<-function(delta,df,level) {t<-qt(.5+level/2,df); pt(-t,df,delta)+pt(t,df,delta,lower.tail=FALSE)}
priors<-list(flat=c(1,1),small=c(.5,22)); sizes<-data.frame(pairs=c(4,12,30,12),people=c(10,15,40,15),cv=c(0,.4,.2,.4),difference=c(2,2,1,2),level=c(.95,.95,.95,.9))
vary<-function(r,z) 2*((1-r)/z$people+(1+z$cv^2)*r)/z$pairs
one<-function(w) {a<-w[1]; b<-w[2]; all<-over(a,b,function(s,r) 1+0*s)
 below<-function(c) over(a,b,function(s,r) 1+0*s,0,c)/all
 list(mean=over(a,b,function(s,r) r+0*s)/all,below=data.frame(icc=c(.01,.05,.2),share=sapply(c(.01,.05,.2),below)),
  sd=data.frame(sd=c(3,3.3,3.7),share=sapply(c(3,3.3,3.7),function(v) over(a,b,NULL,v0=v)/all)),
  assurance=sapply(seq_len(nrow(sizes)),function(i) {z<-sizes[i,]; over(a,b,function(s,r) power(z$difference/sqrt(s*vary(r,z)),z$pairs/(1+z$cv^2)-1,z$level))/all}))}
# Individual allocation: of a variance known from nu degrees of freedom; a true difference that is normal as well.
nu<-37; ss<-37*4; size<-data.frame(n=c(20,45,45),sd=c(0,0,.8))
alone<-mapply(function(n,sd) {g<-function(v,m) power(m/sqrt(2*v/n),2*n-2,.95); f<-function(m) sapply(m,function(m) integrate(function(u) g(exp(u),m)*exp(-nu/2*(u-log(ss))-ss/2*exp(-u)-nu/2*log(2)-lgamma(nu/2)),log(ss/nu)-3,log(ss/nu)+3,rel.tol=TOL)$value)
 if (sd==0) f(1.5) else integrate(function(m) f(m)*dnorm(m,1.5,sd),1.5-8.5*sd,1.5+8.5*sd,rel.tol=1e-10)$value},size$n,size$sd)
test<-expand.grid(n=c(12,50,200),delta=c(.3,1)); test$power<-mapply(function(n,d) power.t.test(n,d,1.6,strict=TRUE,tol=1e-12)$power,test$n,test$delta)
need<-expand.grid(delta=c(.5,1,2),power=c(.8,.9)); need$n<-mapply(function(d,w) ceiling(power.t.test(delta=d,sd=1.6,power=w,strict=TRUE,tol=1e-12)$n),need$delta,need$power)
paired<-expand.grid(pairs=c(5,12,40),delta=c(.5,1.5)); paired$power<-mapply(function(n,d) power.t.test(n,d,1.6,type="paired",strict=TRUE,tol=1e-12)$power,paired$pairs,paired$delta)
write_json(list(sizes=sizes,posterior=lapply(priors,one),alone=cbind(size,assurance=alone),test=test,need=need,paired=paired,session=capture.output(sessionInfo())),"assurance.json",digits=I(15),auto_unbox=TRUE,dataframe="columns")
