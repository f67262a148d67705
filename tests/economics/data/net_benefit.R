# Net-benefit regression with CR2 at four thresholds, on models/data/clustered_trial.csv: Rscript net_benefit.R
suppressMessages({library(clubSandwich);library(jsonlite)})
d<-read.csv("../../models/data/clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control")
one<-function(y) { m<-lm(y~arm+y0+trust+age,d); t<-coef_test(m,vcov="CR2",cluster=d$team,test="Satterthwaite")[2,]; i<-conf_int(m,vcov="CR2",cluster=d$team,test="Satterthwaite")[2,]
 list(estimate=t$beta,se=t$SE,df=t$df_Satt,p=t$p_Satt,low=i$CI_L,high=i$CI_U,probability=pt(t$beta/t$SE,t$df_Satt)) }
thresholds<-c(0,20000,30000,50000)
out<-list(formula="threshold * qaly - cost ~ arm + y0 + trust + age",cost=one(d$cost),qaly=one(d$qaly),
 net_benefit=lapply(thresholds,function(l) c(list(threshold=l),one(l*d$qaly-d$cost))))
out$session<-capture.output(sessionInfo())
write_json(out,"net_benefit.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE); print(t(sapply(out$net_benefit,unlist)))
