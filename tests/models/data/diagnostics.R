# Residuals, influence and tests of assumptions from R: Rscript diagnostics.R
suppressMessages({library(clubSandwich);library(sandwich);library(lme4);library(splines);library(jsonlite)})
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); d$arm<-relevel(d$arm,"control"); out<-list()
o<-lm(y1~arm+y0+age+trust,d); r<-rstandard(o)
out$lm<-list(rstandard=unname(r),hat=unname(hatvalues(o)),cook=unname(cooks.distance(o)),fitted=unname(fitted(o)),
 sigma=sigma(o),shapiro=unname(c(shapiro.test(r)$statistic,shapiro.test(r)$p.value)))
l<-lmer(y1~arm+y0+age+trust+(1|team),d)
# The ratio of the variances is R's own, so that everything after it is a closed form.
out$lmer<-list(ratio=getME(l,"theta")[[1]]^2,rstandard=unname(residuals(l)/(sigma(l)*sqrt(1-hatvalues(l)))),hat=unname(hatvalues(l)),cook=unname(cooks.distance(l)),
 fitted=unname(predict(l,re.form=NA)),sigma=sigma(l),ranef=ranef(l)$team[[1]],teams=rownames(ranef(l)$team))
# Variance: absolute standardised residuals on arm and fitted values; squares by arm.
d$square<-r^2; d$z<-as.vector(scale(fitted(o))); b<-lm(sqrt(pi/2)*abs(r)~arm+z,d)
slope<-coef_test(b,vcov="CR2",cluster=d$team,test="Satterthwaite")[3,]
a<-lm(square~0+arm,d); m<-coef(a); V<-vcovCR(a,cluster=d$team,type="CR2")
ratio<-linear_contrast(a,vcov=V,cluster=d$team,test="Satterthwaite",contrasts=matrix(c(-1/m[1],1/m[2]),1))
out$variance<-list(slope=unname(slope$beta),slope_se=slope$SE,slope_df=slope$df,slope_hc3=sqrt(vcovHC(b,"HC3")[3,3]),
 log_ratio=unname(log(m[2]/m[1])),ratio_se=ratio$SE,ratio_df=ratio$df,ratio_hc3=sqrt(sum(c(-1/m[1],1/m[2])^2*diag(vcovHC(a,"HC3")))))
# Curvature of the baseline: natural spline with the same knots against the straight line.
k<-quantile(d$y0,c(.05,.35,.65,.95)); s<-lm(y1~arm+age+trust+ns(y0,knots=k[2:3],Boundary.knots=k[c(1,4)]),d); w<-anova(o,s)
out$spline<-list(Fstat=w$F[2],df=w$Df[2],df_resid=w$Res.Df[2],p=w$`Pr(>F)`[2])
# Without each team and each Trust: what is left is fitted anew.
without<-function(unit) lapply(levels(d[[unit]]),function(x) { e<-droplevels(d[d[[unit]]!=x,]); f<-lm(y1~arm+y0+age+trust,e)
 t<-coef_test(f,vcov="CR2",cluster=e$team,test="Satterthwaite")["armintervention",]; list(left_out=x,beta=t$beta,SE=t$SE,df=t$df) })
out$without<-list(team=without("team"),trust=without("trust"))
# Outlying differences: externally studentised residuals of their mean.
x<-c(-.5,2,1.2,3,.4); out$deletion<-list(differences=x,rstudent=unname(rstudent(lm(x~1))))
q<-qqnorm(x,plot.it=FALSE); out$scores<-list(five=sort(q$x),twelve=sort(qqnorm(1:12,plot.it=FALSE)$x))
out$session<-capture.output(sessionInfo())
write_json(out,"diagnostics.json",digits=I(14),auto_unbox=TRUE,pretty=TRUE,dataframe="rows"); print(str(out))
