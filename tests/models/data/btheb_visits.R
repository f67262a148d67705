# Covariances over visits by mmrm (development version), on btheb.csv: Rscript btheb_visits.R
suppressMessages({library(emmeans);library(jsonlite);library(mmrm)})
d<-read.csv("btheb.csv",stringsAsFactors=TRUE); d$treatment<-relevel(d$treatment,"TAU"); d$length<-relevel(d$length,"<6m"); d$subject<-factor(seq_len(nrow(d)))
tab<-function(x) {x<-as.data.frame(x); x<-cbind(term=rownames(x),x); rownames(x)<-NULL; x}
out<-list()
L<-reshape(d,idvar="subject",varying=c("bdi.2m","bdi.3m","bdi.5m","bdi.8m"),v.names="bdi",times=c(2,3,5,8),timevar="time",direction="long"); L<-L[order(L$subject,L$time),]; rownames(L)<-NULL
L$visit<-factor(L$time)
for(meth in c("Kenward-Roger","Satterthwaite")){
 f<-if(meth=="Kenward-Roger") mmrm(bdi~bdi.pre+drug+length+treatment*visit+us(visit|subject),L,method=meth,vcov="Kenward-Roger-Linear") else mmrm(bdi~bdi.pre+drug+length+treatment*visit+us(visit|subject),L,method=meth)
 e<-emmeans(f,~treatment|visit,weights="proportional")
 out[[paste0("mmrm_us_",gsub("-","_",meth))]]<-list(formula="bdi ~ bdi.pre + drug + length + treatment*visit + us(visit|subject), REML",coef=tab(summary(f)$coefficients),cov=as.data.frame(VarCorr(f)),reml_loglik=as.numeric(logLik(f)),emmeans=as.data.frame(e),contrasts=as.data.frame(pairs(e,reverse=TRUE)))
}
out$note_kr<-"Kenward-Roger rows use mmrm's vcov = Kenward-Roger-Linear: no second-derivative term, as with a covariance linear in its parameters; the weights W are the inverse of the observed information"
fc<-mmrm(bdi~bdi.pre+drug+length+treatment*visit+cs(visit|subject),L,method="Kenward-Roger",vcov="Kenward-Roger-Linear")
out$mmrm_cs_Kenward_Roger<-list(coef=tab(summary(fc)$coefficients),cov=as.data.frame(VarCorr(fc)),reml_loglik=as.numeric(logLik(fc)))
# constrained longitudinal data analysis: baseline as a visit, common baseline mean
L0<-rbind(data.frame(subject=d$subject,drug=d$drug,length=d$length,treatment=d$treatment,time=0,bdi=d$bdi.pre),L[,c("subject","drug","length","treatment","time","bdi")])
L0<-L0[order(L0$subject,L0$time),]; L0$visit<-factor(L0$time)
for(v in c("2","3","5","8")) L0[[paste0("trt",v)]]<-as.numeric(L0$treatment=="BtheB"&L0$visit==v)
f<-mmrm(bdi~visit+drug+length+trt2+trt3+trt5+trt8+us(visit|subject),L0,method="Kenward-Roger",vcov="Kenward-Roger-Linear")
out$clda_us_Kenward_Roger<-list(formula="bdi ~ visit + drug + length + trt2+trt3+trt5+trt8 + us(visit|subject), baseline is visit 0 with a common mean, REML",coef=tab(summary(f)$coefficients),cov=as.data.frame(VarCorr(f)),reml_loglik=as.numeric(logLik(f)))
write_json(out,"btheb_visits.json",digits=I(12),auto_unbox=TRUE,pretty=TRUE,dataframe="rows")
