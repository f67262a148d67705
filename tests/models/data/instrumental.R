# Instrumental variables on the table beside this script, with exposures drawn here: Rscript instrumental.R
suppressMessages({library(AER);library(clubSandwich);library(jsonlite)})
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$a<-as.numeric(d$arm=="intervention"); n<-nrow(d); set.seed(20261129)
draw<-function(p1,p0) rbinom(n,1,ifelse(d$a==1,p1,p0))
# Taken up by most, by few, by hardly more than in the other arm; nobody in the reference arm; fidelity from 0 to 20; the arm itself
e<-data.frame(id=d$id,strong=draw(.65,.05),few=draw(.25,.08),weak=draw(.12,.10),onesided=draw(.3,0),fidelity=pmin(20,pmax(0,round(rnorm(n,6+3*d$a+as.numeric(d$trust)/2,4)))),arm=d$a)
write.csv(e,"instrumental.csv",row.names=FALSE,quote=FALSE); d<-cbind(d,e[setdiff(names(e),c("id","arm"))]); d$full<-d$a; out<-list()
row<-function(o,name) { x<-coef_test(o,vcovCR(o,d$team,"CR2"),test="Satterthwaite"); x<-x[name,]; list(beta=x$beta,SE=x$SE,df=x$df_Satt) }
# Anderson-Rubin: every b whose y - b x does not differ by arm; a grid over the whole line (tangents of angles, then powers of ten), then its changes of sign refined
roots<-function(gap) { b<-tan(seq(-pi/2,pi/2,length.out=302)[2:301]); far<-10^seq(2.1,7,.1); b<-c(-rev(far),b,far); g<-sapply(b,gap); i<-which(diff(sign(g))!=0)
 list(roots=I(as.numeric(lapply(i,function(k) uniroot(gap,b[k+0:1],tol=1e-13,maxiter=1000)$root))),tails=g[c(1,length(b))]<=0) }
covs<-list(plain="trust",full="y0+age+female+trust")
out$people<-list()
for(x in c("strong","few","weak","onesided","fidelity","full")) for(cv in names(covs)) for(level in c(.95,.5)) {
 if((level==.5||x=="full")&&cv=="plain") next
 f<-as.formula(sprintf("y1~%s+%s|a+%s",x,covs[[cv]],covs[[cv]])); o<-ivreg(f,data=d)
 first<-if(x=="full") NULL else row(lm(as.formula(sprintf("%s~a+%s",x,covs[[cv]])),d),"a")
 right<-as.formula(paste("y~a+",covs[[cv]])); base<-lm(right,cbind(d,y=d$y1))
 gap<-function(b) { r<-row(lm(right,cbind(d,y=d$y1-b*d[[x]])),"a"); abs(r$beta/r$SE)-qt(.5+level/2,r$df) }
 out$people[[length(out$people)+1]]<-list(exposure=x,covariates=cv,level=level,iv=row(o,x),first=first,ar=roots(gap)) }
# Team summaries: slopes within teams, means, differences of the pairs; ivreg on the ten means and on the five differences
out$teams<-list()
for(x in c("strong","few","weak","onesided","fidelity")) for(cv in c("none","y0+age")) for(level in c(.95,.5)) {
 adj<-function(v) { if(cv=="none") return(d[[v]]); o<-lm(as.formula(sprintf("%s~%s+team",v,cv)),d); k<-strsplit(cv,"[+]")[[1]]; d[[v]]-drop(as.matrix(d[k])%*%coef(o)[k]) }
 D<-data.frame(y=adj("y1"),x=adj(x)); T<-aggregate(D,d[c("team","trust","a")],mean); o<-ivreg(y~x+trust|a+trust,data=T); s<-summary(o)$coefficients["x",]
 P<-T[T$a==1,]; P<-P[order(P$trust),]; C<-T[T$a==0,]; C<-C[order(C$trust),]; P$one<-1; P$y<-P$y-C$y; P$x<-P$x-C$x
 q<-summary(ivreg(y~x-1|one-1,data=P))$coefficients["x",]; stopifnot(abs(q[1:2]/s[1:2]-1)<1e-8)
 gap<-function(b) { t<-summary(lm(I(y-b*x)~1,P))$coefficients[1,"t value"]; abs(t)-qt(.5+level/2,nrow(P)-1) }
 f<-t.test(P$x); out$teams[[length(out$teams)+1]]<-list(exposure=x,covariates=cv,level=level,iv=list(beta=s[[1]],SE=s[[2]],df=o$df.residual),first=list(beta=f$estimate[[1]],SE=f$stderr[[1]],df=f$parameter[[1]]),ar=roots(gap)) }
# Dose and response: slopes between and within teams
d$between<-ave(d$fidelity,d$team); d$within<-d$fidelity-d$between; o<-lm(y1~between+within+y0+age,d)
out$within_between<-list(between=row(o,"between"),within=row(o,"within"))
out$session<-capture.output(sessionInfo())
write_json(out,"instrumental.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE,null="null")
for(p in c(out$people,out$teams)) cat(p$exposure,p$covariates,p$level,p$iv$beta,p$iv$SE,p$iv$df,"| AR",p$ar$roots,p$ar$tails,"\n")
