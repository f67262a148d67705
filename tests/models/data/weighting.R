# Overlap weights, entropy balancing, weighted ANCOVA and robustness values on the table beside this script: Rscript weighting.R
suppressMessages({library(clubSandwich);library(jsonlite)})
tight<-glm.control(epsilon=1e-15,maxit=100)
d<-read.csv("clustered_trial.csv",stringsAsFactors=TRUE); a<-as.numeric(d$arm=="intervention"); out<-list()
tab<-function(o,V) { x<-coef_test(o,vcov=V,test="Satterthwaite"); list(beta=x[2,"beta"],SE=x[2,"SE"],df=x[2,"df_Satt"]) }
Z<-model.matrix(~age+female+y0+trust,d)
# Overlap weights by glm
g<-glm(a~age+female+y0+trust,binomial,d,control=tight); e<-fitted(g); w<-ifelse(a==1,1-e,e)
out$overlap<-list(propensity=unname(e),ess=c(sum(w[a==0])^2/sum(w[a==0]^2),sum(w[a==1])^2/sum(w[a==1]^2)),
 ess_team=unname(c(tapply(w,d$team,sum)^2/tapply(w^2,d$team,sum))))
# Weighted ANCOVA: clubSandwich's own choice (working variances equal), and weights as inverse variances
ancova<-function(formula,w,cluster) { o<-lm(formula,cbind(d,w=w,a=a),weights=w)
 list(formula=deparse(formula),equal=tab(o,vcovCR(o,cluster,"CR2")),inverse=tab(o,vcovCR(o,cluster,"CR2",inverse_var=TRUE)),target=tab(o,vcovCR(o,cluster,"CR2",target=1/w))) }
out$ancova<-list(full=ancova(y1~a+y0+age+female+trust,w,d$team),short=ancova(y1~a+y0,w,d$team),qaly=ancova(qaly~a+age+trust,w,d$team),by_trust=ancova(y1~a+y0+trust,w,d$trust))
# Estimation of the propensity: what each team adds is the derivative of the estimate in the team's case weights
# (both fits, infinitesimal jackknife), by central differences with one step of Richardson's extrapolation
est<-function(team,h) { om<-ifelse(d$team==team,1+h,1)
 e<-suppressWarnings(glm.fit(Z,a,weights=om,family=binomial(),control=tight))$fitted.values; w<-ifelse(a==1,1-e,e)
 lm.wfit(cbind(1,a,model.matrix(~y0+age+female+trust,d)[,-1]),d$y1,om*w)$coefficients[[2]] }
der<-function(t,h) (est(t,h)-est(t,-h))/(2*h)
out$influence<-sapply(levels(d$team),function(t) (4*der(t,5e-4)-der(t,1e-3))/3,USE.NAMES=FALSE)
# Entropy balancing: the dual by optim, then Newton steps until the gradient is at rounding
entropy<-function(X,t) { C<-sweep(X,2,t); f<-function(l) log(mean(exp(C%*%l))); gr<-function(l) {p<-exp(C%*%l); p<-p/sum(p); drop(crossprod(C,p))}
 l<-optim(rep(0,ncol(C)),f,gr,method="BFGS",control=list(reltol=1e-16,maxit=5000))$par
 for(i in 1:20) {p<-drop(exp(C%*%l)); p<-p/sum(p); m<-drop(crossprod(C,p)); H<-crossprod(C,p*C)-tcrossprod(m); l<-l-solve(H,m)}
 p<-drop(exp(C%*%l)); stopifnot(max(abs(gr(l)))<1e-10); p/sum(p) }
S<-scale(Z[,-1]); uniform<-function(k) rep(1/sum(k),sum(k)); both<-function(target) { t<-colMeans(S[target,]); v<-numeric(nrow(d))
 for(k in 0:1) v[a==k]<-if(all((a==k)==target)) uniform(a==k) else entropy(S[a==k,],t); v }
out$entropy<-list(treated=both(a==1),control=both(a==0),all=both(rep(TRUE,nrow(d))))
out$entropy_ancova<-ancova(y1~a+y0+age+female+trust,out$entropy$treated,d$team)$equal
# Firth's penalised likelihood by optim, where one arm alone has a level
lone<-as.numeric(d$female==1&a==1&d$age>60); F<-cbind(1,scale(cbind(d$age,d$y0,lone)))
pen<-function(b) { eta<-drop(F%*%b); v<-plogis(eta)*plogis(-eta); -sum(a*eta-log1p(exp(eta)))-as.numeric(determinant(crossprod(F,v*F))$modulus)/2 }
score<-function(b) { eta<-drop(F%*%b); e<-plogis(eta); v<-e*(1-e); h<-v*rowSums((F%*%solve(crossprod(F,v*F)))*F); -drop(crossprod(F,a-e+h*(.5-e))) }
b<-optim(rep(0,ncol(F)),pen,score,method="BFGS",control=list(reltol=1e-16,maxit=5000))$par
for(i in 1:200) { eta<-drop(F%*%b); v<-plogis(eta)*plogis(-eta); b<-b-solve(crossprod(F,v*F),score(b)) }
stopifnot(max(abs(score(b)))<1e-10); out$firth<-list(lone=lone,propensity=plogis(drop(F%*%b)))
# Balance of people; weighted variances with the divisor 1 - sum w^2
smd<-function(x,w) { m<-v<-numeric(2); for(k in 0:1) { p<-w[a==k]/sum(w[a==k]); m[k+1]<-sum(p*x[a==k]); v[k+1]<-sum(p*(x[a==k]-m[k+1])^2)/(1-sum(p^2)) }
 c(difference=(m[2]-m[1])/sqrt((var(x[a==1])+var(x[a==0]))/2),ratio=v[2]/v[1]) }
team<-function(x,w) { m<-tapply(w*x,d$team,sum)/tapply(w,d$team,sum); k<-tapply(a,d$team,mean); p<-tapply(as.integer(d$trust),d$team,mean)
 diff<-(m[k==1][order(p[k==1])]-m[k==0][order(p[k==0])])/sqrt((var(x[a==1])+var(x[a==0]))/2); t<-t.test(diff); c(t$estimate,t$stderr,t$parameter) }
out$balance<-lapply(list(age=d$age,y0=d$y0,cost=d$cost),function(x) list(plain=unname(smd(x,rep(1,nrow(d)))),weighted=unname(smd(x,w)),teams=unname(team(x,rep(1,nrow(d)))),teams_weighted=unname(team(x,w))))
# Robustness values by formula, and by searching for the worst confounder no stronger than RV with either
rv<-function(t,df,q,alpha) { f<-q*abs(t)/sqrt(df); fc<-if(is.na(alpha)) 0 else qt(1-alpha/2,df-1)/sqrt(df-1); h<-f-fc
 if(h<0) 0 else if(!is.na(alpha)&&f>1/fc) (f^2-fc^2)/(1+f^2) else (sqrt(h^4+4*h^2)-h^2)/2 }
worst<-function(t,df,q,alpha) { tt<-qt(1-alpha/2,df-1)
 left<-function(r) { m<-function(y) { s<-sqrt((1-y)/(1-r)*df/(df-1)); (q*t-sqrt(df*y*r/(1-r)))/s-tt }; min(if(r>0) optimize(m,c(0,r),tol=1e-12)$objective,m(0),m(r)) }
 if(left(0)<=0) 0 else uniroot(left,c(0,1-1e-9),tol=1e-13)$root }
cases<-expand.grid(t=c(1,2.5,6,12),df=c(4,12,145),q=c(1,.5),alpha=c(NA,.05)); cases$rv<-mapply(rv,cases$t,cases$df,cases$q,cases$alpha)
cases$worst<-mapply(function(t,df,q,al) if(is.na(al)) NA else worst(t,df,q,al),cases$t,cases$df,cases$q,cases$alpha); out$robustness<-cases
# Benchmarks: team means on arm and pairs, one covariate at a time; the bounds of Cinelli & Hazlett
T<-aggregate(cbind(y1,age,y0,cost)~team+trust+arm,d,mean); T$a<-as.numeric(T$arm=="intervention")
pr2<-function(o,v) { s<-summary(o)$coefficients[v,"t value"]; s^2/(s^2+o$df.residual) }
out$benchmarks<-lapply(c(age="age",y0="y0",cost="cost"),function(x) { A<-pr2(lm(reformulate(c(x,"trust"),"a"),T),x); Y<-pr2(lm(reformulate(c("a",x,"trust"),"y1"),T),x)
 k<-.5; z<-k*A^2/((1-k*A)*(1-A)); with<-lm(reformulate(c("a",x,"trust"),"y1"),T); s<-summary(with)$coefficients["a",]
 list(arm=A,outcome=Y,bound_arm=k*A/(1-A),bound_outcome=min(1,(sqrt(k)+sqrt(z))^2/(1-z)*Y/(1-Y)),estimate=s[["Estimate"]],se=s[["Std. Error"]]) })
o<-lm(y1~a+trust,T); s<-summary(o)$coefficients["a",]; out$teams<-list(estimate=s[["Estimate"]],se=s[["Std. Error"]],df=o$df.residual)
# What leaving a measured covariate out moves the comparison by
full<-lm(y1~a+y0+age+female+trust,cbind(d,a=a)); out$moved<-sapply(c("y0","age","female"),function(x) coef(update(full,as.formula(paste(".~.-",x))))[["a"]]-coef(full)[["a"]],USE.NAMES=FALSE)
out$session<-capture.output(sessionInfo())
write_json(out,"weighting.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE,dataframe="rows",na="null"); print(out[c("ancova","influence","robustness","benchmarks","teams","moved","balance")])
