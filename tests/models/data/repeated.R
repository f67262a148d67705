# References for nested random intercepts and for covariances over visits: Rscript repeated.R
# Draws longitudinal.csv, and reads btheb.csv beside it.
suppressMessages({library(lme4);library(lmerTest);library(pbkrtest);library(nlme);library(emmeans);library(jsonlite)})
tab<-function(x) {x<-as.data.frame(x); x<-cbind(term=rownames(x),x); rownames(x)<-NULL; x}
tight<-lmerControl(optimizer="bobyqa",optCtrl=list(rhoend=1e-11,maxfun=1e5),check.conv.singular="ignore")
mixed<-function(formula,data,kr=TRUE,joint=NULL) {
 m<-suppressWarnings(lmer(formula,data,control=tight)); v<-as.data.frame(VarCorr(m))
 out<-list(formula=deparse1(formula),vc=v[,c("grp","var1","var2","vcov")],reml_deviance=REMLcrit(m),satterthwaite=tab(coef(summary(m))))
 if(kr) out$kenward_roger<-tab(coef(summary(m,ddf="Kenward-Roger")))
 if(!is.null(joint)) out$joint<-as.list(KRmodcomp(m,update(m,joint))$test["Ftest",])
 ml<-suppressWarnings(lmer(formula,data,REML=FALSE,control=tight)); out$ml_deviance<-as.numeric(-2*logLik(ml)); out$ml_vc<-as.data.frame(VarCorr(ml))$vcov
 out }
out<-list()
# nested random intercepts: shapes of (outer groups, inner groups, rows)
set.seed(20261123)
shape<-function(name,outer,inner,rows,sd,constant=FALSE) {
 d<-do.call(rbind,lapply(seq_len(outer),function(o) do.call(rbind,lapply(seq_len(inner(o)),function(i) data.frame(outer=o,inner=i,row=seq_len(rows(o,i)))))))
 k<-as.integer(factor(paste(d$outer,d$inner))); n<-nrow(d)
 d$arm<-(d$inner+d$outer)%%2; d$x<-round(rnorm(n,3,2),3); d$z<-round(rnorm(n),3)
 d$y<-round(2+.5*d$x+rnorm(outer,0,sd[1])[d$outer]+rnorm(max(k),0,sd[2])[k]+rnorm(n,0,sd[3]),4)
 cbind(shape=name,d[,c("outer","inner","arm","x","z","y")]) }
many<-shape("many_small",40,function(o) 2+o%%2,function(o,i) 1+(o+i)%%3,c(1,.7,1))
few<-shape("few_large",3,function(o) 2,function(o,i) 60+10*i,c(2,1,3))
wild<-shape("unbalanced",6,function(o) c(2,2,3,2,5,4)[o],function(o,i) c(1,80,3,2,25,9)[o]+3*i,c(1.5,.8,2))
near<-shape("near_singular",8,function(o) 3,function(o,i) 6+i,c(1,1,1)); near$z<-round(near$x+1e-3*near$z,6)
edge<-shape("boundary",10,function(o) 3,function(o,i) 4+i%%2,c(0,1,2))
edge$y<-edge$y-ave(edge$y,edge$outer)
nested<-rbind(many,few,wild,near,edge)
for(s in unique(nested$shape)) out[[paste0("nested_",s)]]<-mixed(y~arm+x+z+(1|outer/inner),nested[nested$shape==s,],joint=.~.-x-z)
# a clustered longitudinal trial: ten teams in two arms, three visits, dropout and gaps
people<-150; team<-rep(1:10,c(20,12,15,9,18,14,16,11,22,13))
d<-expand.grid(visit=1:3,person=seq_len(people)); d$team<-team[d$person]; d$arm<-(d$team+1)%%2; d$x<-round(rnorm(people),3)[d$person]
te<-rnorm(10,0,1.2); tv<-matrix(rnorm(30,0,.8),10); pe<-rnorm(people,0,2)
d$y<-round(10+d$x+.5*d$visit+te[d$team]+tv[cbind(d$team,d$visit)]+pe[d$person]+rnorm(nrow(d),0,1+.4*d$visit),4)
gone<-(d$visit==3&runif(nrow(d))<.25)|(d$visit==2&runif(nrow(d))<.1)|(d$visit==1&runif(nrow(d))<.03)
d<-d[!gone,c("person","team","visit","arm","x","y")]; write.csv(d,"longitudinal.csv",row.names=FALSE,quote=FALSE)
d<-read.csv("longitudinal.csv"); d$when<-factor(d$visit); d$both<-interaction(d$team,d$when)
fixed<-y~x+arm*when
out$team_cs<-mixed(update(fixed,.~.+(1|team)+(1|both)+(1|person)),d,joint=.~.-arm:when)
m<-lmer(update(fixed,.~.+(1|team)+(1|both)+(1|person)),d,control=tight)
e<-emmeans(m,~arm|when,at=list(arm=0:1),lmer.df="kenward-roger"); out$team_cs$emmeans<-as.data.frame(e); out$team_cs$contrasts<-as.data.frame(pairs(e,reverse=TRUE))
out$team_us<-mixed(update(fixed,.~.+(0+when|team)+(1|person)),d)
d$flat<-d$y-ave(d$y,d$both)+ave(d$y,d$team)
out$team_us_singular<-mixed(flat~x+when+(0+when|team)+(1|person),d,kr=FALSE)
out$three_levels<-mixed(y~x+when+(1|arm/team/person),d)
# general covariances by generalised least squares
b<-read.csv("btheb.csv",stringsAsFactors=TRUE); b$treatment<-relevel(b$treatment,"TAU"); b$subject<-factor(seq_len(nrow(b)))
L<-reshape(b,idvar="subject",varying=c("bdi.2m","bdi.3m","bdi.5m","bdi.8m"),v.names="bdi",times=c(2,3,5,8),timevar="time",direction="long")
L0<-rbind(data.frame(b[,c("subject","drug","length","treatment")],time=0,bdi=b$bdi.pre),L[,c("subject","drug","length","treatment","time","bdi")])
order_<-function(x) {x<-na.omit(x[order(x$subject,x$time),]); x$visit<-factor(x$time); x$k<-as.integer(x$visit); x}
L<-order_(L); L0<-order_(L0); for(v in c(2,3,5,8)) L0[[paste0("trt",v)]]<-as.numeric(L0$treatment=="BtheB"&L0$visit==v)
steps<-glsControl(tolerance=1e-13,msTol=1e-15,msMaxIter=2000,maxIter=500,msVerbose=FALSE)
general<-function(formula,data,correlation,heterogeneous,method="REML") {
 g<-gls(formula,data,correlation=correlation,weights=if(heterogeneous) varIdent(form=~1|visit),method=method,control=steps)
 v<-max(data$k); C<-corMatrix(g$modelStruct$corStruct); C<-C[[which(sapply(C,nrow)==v)[1]]]
 s<-if(heterogeneous) coef(g$modelStruct$varStruct,unconstrained=FALSE,allCoef=TRUE)[levels(data$visit)]*g$sigma else rep(g$sigma,v)
 list(formula=deparse1(formula),method=method,deviance=-2*as.numeric(logLik(g)),coef=tab(summary(g)$tTable),cov=unname(C*(s%o%s))) }
f<-bdi~bdi.pre+drug+length+treatment*visit
out$gls_us<-general(f,L,corSymm(form=~k|subject),TRUE)
out$gls_us_ml<-general(f,L,corSymm(form=~k|subject),TRUE,"ML")
out$gls_csh<-general(f,L,corCompSymm(form=~k|subject),TRUE)
out$gls_csh_ml<-general(f,L,corCompSymm(form=~k|subject),TRUE,"ML")
out$gls_cs_ml<-general(f,L,corCompSymm(form=~k|subject),FALSE,"ML")
out$gls_clda<-general(bdi~visit+drug+length+trt2+trt3+trt5+trt8,L0,corSymm(form=~k|subject),TRUE)
# team intercepts beside an unstructured covariance within people
g<-lme(fixed,d,random=~1|team,correlation=corSymm(form=~visit|team/person),weights=varIdent(form=~1|when),control=lmeControl(tolerance=1e-12,msTol=1e-14,msMaxIter=2000,maxIter=500,niterEM=50,opt="nlminb"))
s<-coef(g$modelStruct$varStruct,unconstrained=FALSE,allCoef=TRUE)[c("1","2","3")]*g$sigma; C<-corMatrix(g$modelStruct$corStruct); C<-C[[which(sapply(C,nrow)==3)[1]]]
out$team_intercept_us<-list(deviance=-2*as.numeric(logLik(g)),coef=tab(summary(g)$tTable),cov=unname(C*(s%o%s)),var_team=as.numeric(VarCorr(g)["(Intercept)","Variance"]))
out$session<-capture.output(sessionInfo())
write_json(out,"repeated.json",digits=I(14),auto_unbox=TRUE,pretty=TRUE,dataframe="rows",matrix="rowmajor")
