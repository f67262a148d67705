# Further references, computed on the tables beside this script: Rscript extra.R
suppressMessages({library(lme4);library(lmerTest);library(pbkrtest);library(clubSandwich);library(emmeans);library(nlme);library(mice);library(jsonlite)})
tab<-function(x) {x<-as.data.frame(x); x<-cbind(term=rownames(x),x); rownames(x)<-NULL; x}
tight<-lmerControl(optCtrl=list(xtol_abs=1e-10,ftol_abs=1e-12))
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control"); d$costk<-d$cost/1000
out<-list()
# joint tests and adjusted means on the boundary, and with unbalanced groups that have single rows
mb<-lmer(costk~arm+y0+trust+(1|team),d,control=tight)
out$boundary_F_trust<-as.list(KRmodcomp(mb,update(mb,.~.-trust))$test["Ftest",])
out$boundary_emmeans<-as.data.frame(emmeans(mb,~arm,lmer.df="kenward-roger",weights="proportional"))
b<-read.csv("btheb.csv",stringsAsFactors=TRUE); b$treatment<-relevel(b$treatment,"TAU"); b$subject<-factor(seq_len(nrow(b)))
L<-reshape(b,idvar="subject",varying=c("bdi.2m","bdi.3m","bdi.5m","bdi.8m"),v.names="bdi",times=c(2,3,5,8),timevar="time",direction="long")
m<-lmer(bdi~bdi.pre+time+treatment+drug+length+(1|subject),L,control=tight)
out$btheb_F_drug_length<-as.list(KRmodcomp(m,update(m,.~.-drug-length))$test["Ftest",])
ml<-lmer(bdi~bdi.pre+time+treatment+drug+length+(1|subject),L,REML=FALSE,control=tight)
out$btheb_ml_deviance<-deviance(ml)
# a group variance below zero, inside what the group sizes admit
d$y2<-d$y1-0.8*ave(d$y1-ave(d$y1,d$trust),d$team)
gl<-gls(y2~arm+y0+trust,d,correlation=corCompSymm(form=~1|team),method="REML",control=glsControl(tolerance=1e-12,msTol=1e-14))
rho<-as.numeric(coef(gl$modelStruct$corStruct,unconstrained=FALSE))
out$negative_variance<-list(formula="y2 ~ arm + y0 + trust, y2 = y1 - 0.8 (team mean of y1 - Trust mean of y1)",rho=rho,var_team=rho*gl$sigma^2,var_resid=(1-rho)*gl$sigma^2,reml_deviance=-2*as.numeric(logLik(gl)),gls=tab(summary(gl)$tTable))
# clusters that alone identify a column (pseudo-inverse), and many unbalanced clusters
o<-lm(y1~arm+y0+trust,d)
out$cr2_own_columns<-tab(coef_test(o,vcov="CR2",cluster=d$trust,test="Satterthwaite"))
complete<-na.omit(L); o<-lm(bdi~bdi.pre+time+treatment+drug+length,complete)
for(k in c("CR0","CR1","CR2","CR3")) out[[paste0("btheb_",k)]]<-tab(coef_test(o,vcov=k,cluster=complete$subject,test="Satterthwaite"))
# pooling: little and much missing information, complete-data df small, large, infinite
q<-c(1.10,1.12,1.09,1.13,1.11);u<-c(.30,.31,.29,.33,.30)^2
out$pool<-lapply(list(list(q,u,4),list(q,u,147),list(q,u,Inf),list(10*q,u,4),list(10*q,u,Inf)),function(x){p<-pool.scalar(x[[1]],x[[2]],n=x[[3]]+1,k=1); c(list(q=x[[1]],u=x[[2]],dfcom=if(is.finite(x[[3]])) x[[3]] else -1),p[c("qbar","ubar","b","t","df","r","fmi")])})
out$session<-capture.output(sessionInfo())
write_json(out,"extra.json",digits=I(14),auto_unbox=TRUE,pretty=TRUE,dataframe="rows")
print(out[setdiff(names(out),"session")])
