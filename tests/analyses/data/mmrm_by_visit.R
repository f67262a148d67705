# MMRM of Beat the Blues with a slope of the baseline at every visit: Rscript mmrm_by_visit.R
# Fitted by nlme::gls; Kenward-Roger without second derivatives is written out in n x n matrices, with
# the observed information of the restricted likelihood (as mmrm's vcov = "Kenward-Roger-Linear").
suppressMessages({library(nlme);library(jsonlite)})
b<-read.csv("../../models/data/btheb.csv",stringsAsFactors=TRUE); b$subject<-factor(seq_len(nrow(b)))
b$btheb<-as.numeric(b$treatment=="BtheB"); b$drug<-as.numeric(b$drug=="Yes"); b$length<-as.numeric(b$length==">6m")
L<-reshape(b,idvar="subject",varying=c("bdi.2m","bdi.3m","bdi.5m","bdi.8m"),v.names="bdi",times=c(2,3,5,8),timevar="time",direction="long")
L<-na.omit(L[order(L$subject,L$time),]); L$visit<-factor(L$time); L$k<-as.integer(L$visit)
steps<-glsControl(tolerance=1e-13,msTol=1e-15,msMaxIter=2000,maxIter=500,msVerbose=FALSE)
g<-gls(bdi~0+visit+visit:btheb+visit:bdi.pre+drug+length,L,correlation=corSymm(form=~k|subject),weights=varIdent(form=~1|visit),method="REML",control=steps)
C<-corMatrix(g$modelStruct$corStruct); C<-C[[which(sapply(C,nrow)==4)[1]]]
s<-coef(g$modelStruct$varStruct,unconstrained=FALSE,allCoef=TRUE)[levels(L$visit)]*g$sigma; S<-unname(C*(s%o%s))
X<-model.matrix(~0+visit+visit:btheb+visit:bdi.pre+drug+length,L); stopifnot(colnames(X)==names(coef(g)))
same<-outer(L$subject,L$subject,"==")
at<-function(M) M[L$k,L$k]*same
pairs<-subset(expand.grid(i=1:4,j=1:4),i<=j)
G<-lapply(seq_len(nrow(pairs)),function(r) {M<-matrix(0,4,4); M[pairs$i[r],pairs$j[r]]<-M[pairs$j[r],pairs$i[r]]<-1; at(M)})
Vi<-solve(at(S)); phi<-solve(t(X)%*%Vi%*%X); P<-Vi-Vi%*%X%*%phi%*%t(X)%*%Vi; beta<-phi%*%t(X)%*%Vi%*%L$bdi; r<-P%*%L$bdi
PG<-lapply(G,function(M) P%*%M); q<-length(G)
H<-matrix(0,q,q); for(k in 1:q) for(l in 1:q) H[k,l]<-2*sum(r*(G[[k]]%*%PG[[l]]%*%r))-sum(PG[[k]]*t(PG[[l]]))
W<-2*solve(H)
D<-lapply(G,function(M) -t(X)%*%Vi%*%M%*%Vi%*%X)
bias<-0*phi; for(k in 1:q) for(l in 1:q) bias<-bias+W[k,l]*(t(X)%*%Vi%*%G[[k]]%*%Vi%*%G[[l]]%*%Vi%*%X-D[[k]]%*%phi%*%D[[l]])
adjusted<-phi+2*phi%*%bias%*%phi
infer<-function(c) {
 slope<-sapply(D,function(M) t(c)%*%phi%*%M%*%phi%*%c)
 list(estimate=sum(c*beta),SE=sqrt(drop(t(c)%*%adjusted%*%c)),df=drop(2*(t(c)%*%phi%*%c)^2/(t(slope)%*%W%*%slope))) }
rows<-function(visit,arm=NULL) {
 c<-setNames(numeric(ncol(X)),colnames(X)); v<-paste0("visit",visit)
 if(is.null(arm)) {c[paste0(v,":btheb")]<-1; return(c(visit=visit,infer(c)))}
 c[v]<-1; c[paste0(v,":btheb")]<-arm=="btheb"; c[paste0(v,":bdi.pre")]<-mean(L$bdi.pre); c[c("drug","length")]<-colMeans(L[,c("drug","length")])
 c(visit=visit,level=arm,infer(c)) }
times<-c(2,3,5,8)
out<-list(formula="bdi ~ visit + visit:btheb + visit:bdi.pre + drug + length, us(visit | subject), REML",
 deviance=-2*as.numeric(logLik(g)),distance_of_gls=max(abs(beta-coef(g))/sqrt(diag(phi))),
 variances=diag(S),differences=lapply(times,rows),
 means=unlist(lapply(times,function(t) lapply(c("tau","btheb"),function(a) rows(t,a))),recursive=FALSE),
 session=capture.output(sessionInfo()))
write_json(out,"mmrm_by_visit.json",digits=I(12),auto_unbox=TRUE,pretty=TRUE)
