# Run in the folder of btheb.csv: Rscript btheb.R
suppressMessages({library(HSAUR3);library(lme4);library(lmerTest);library(pbkrtest);library(emmeans);library(jsonlite)})
data(BtheB); d<-BtheB; d$subject<-factor(seq_len(nrow(d)))
tab<-function(x) {x<-as.data.frame(x); x<-cbind(term=rownames(x),x); rownames(x)<-NULL; x}
out<-list()
o<-lm(bdi.8m~treatment+bdi.pre+drug+length,d)
out$ancova_8m<-list(formula="bdi.8m ~ treatment + bdi.pre + drug + length, complete cases",n=nobs(o),coef=tab(summary(o)$coefficients),ci=tab(confint(o)),emmeans_proportional=as.data.frame(emmeans(o,~treatment,weights="proportional")))
L<-reshape(d,idvar="subject",varying=c("bdi.2m","bdi.3m","bdi.5m","bdi.8m"),v.names="bdi",times=c(2,3,5,8),timevar="time",direction="long"); L<-L[order(L$subject,L$time),]; rownames(L)<-NULL
m<-lmer(bdi~bdi.pre+time+treatment+drug+length+(1|subject),L,control=lmerControl(optCtrl=list(xtol_abs=1e-10,ftol_abs=1e-12)))
out$lmm_random_intercept<-list(formula="bdi ~ bdi.pre + time + treatment + drug + length + (1|subject), REML",nobs=nobs(m),vc=as.data.frame(VarCorr(m))[,c("grp","vcov")],reml_deviance=REMLcrit(m),satterthwaite=tab(summary(m)$coefficients),kenward_roger=tab(summary(m,ddf="Kenward-Roger")$coefficients))
ml<-lmer(bdi~bdi.pre+time+treatment+drug+length+(1|subject),L,REML=FALSE)
out$lmm_random_intercept_ML<-list(coef=tab(coef(summary(ml))),vc=as.data.frame(VarCorr(ml))[,c("grp","vcov")],note="the ML fit printed in Everitt & Hothorn, Handbook of Statistical Analyses Using R")
out$session<-capture.output(sessionInfo())
write_json(out,"btheb.json",digits=I(12),auto_unbox=TRUE,pretty=TRUE,dataframe="rows")
