# The economic evaluation programmed a second time, from docs/economics.md and the configuration alone: Rscript evaluation.R
# evaluation.csv: the 151 people with a baseline interview, as observed (imputation 0) and imputed four times; all SYNTHETIC.
suppressMessages({library(clubSandwich);library(systemfit);library(statmod);library(mice);library(yaml);library(jsonlite)})
plan<-read_yaml("evaluation/config/economics.yaml"); analyses<-read_yaml("evaluation/config/analysis.yaml")
LEVEL<-analyses$confidence_level; COVARIATES<-analyses$covariates
VISITS<-c("baseline","month6"); ARMS<-c("control","intervention"); YEARS<-plan$months/12
all<-read.csv("evaluation.csv",na.strings=""); all<-all[order(all$imputation,all$participant),]
D<-split(all,all$imputation); observed<-D[["0"]]; D<-D[names(D)!="0"]; m<-length(D); n<-nrow(observed)
stopifnot(all(sapply(D,function(d) identical(d$participant,observed$participant))))
came<-!is.na(observed$interview_date_month6) # who was interviewed at the follow-up
active<-observed$arm=="intervention"; team<-factor(observed$team); trust<-factor(observed$trust)

# ---- prices, and what the intervention costs
index<-read.csv("evaluation/config/price_index.csv"); index<-setNames(index$index,index$price_year); base<-index[[as.character(plan$price_year)]]
unit<-read.csv("evaluation/config/unit_costs.csv"); services<-unit$service
price<-setNames(unit$unit_cost*base/index[as.character(unit$price_year)],services)
perspective<-lapply(plan$perspectives,function(p) services[rowSums(sapply(p$services,function(g) grepl(glob2rx(g),services)))>0])
items<-read.csv("evaluation/config/intervention_cost.csv")
# An equivalent annual cost at 3.5 % (paid at the end of each year), of which the horizon bears its part of a year.
RATE<-if(is.null(plan$intervention$annuity)) .035 else plan$intervention$annuity
annual<-function(lasts) 1/sapply(lasts,function(n) if(is.na(n)) NA else sum((1+RATE)^-seq_len(n)))
within<-ifelse(is.na(items$lifetime_years)|items$lifetime_years<=YEARS,1,pmin(1,YEARS*annual(items$lifetime_years)))
items$cost<-items$quantity*items$unit_cost*base/index[as.character(items$price_year)]*within; total<-sum(items$cost)
share<-list(participants=rep(total/sum(active),n),
 teams=total/length(unique(team[active]))/as.numeric(table(team)[as.character(team)]),
 caseload=rep(total/plan$intervention$caseload,n))
share<-lapply(share,function(x) ifelse(active,x,0))

# ---- costs and QALYs of one table of people
services_cost<-function(d,visit,who="nhs_pss",p=price,absence=plan$absence$valued){
 s<-perspective[[who]]; used<-as.matrix(d[paste0(s,"_",visit)]); days<-paste0(plan$absence$service,"_",visit)
 if(identical(absence,"friction-cost")&&days%in%colnames(used)) used[,days]<-ifelse(used[,days]>plan$absence$friction_days,plan$absence$friction_days,used[,days])*plan$absence$elasticity
 cost<-drop(used%*%p[s]); if(visit=="baseline") cost else cost*d$alive_month6}
curve<-function(time,u,lived){ # area from 0 to the horizon in years, the last value carried on; lived: share of the period lived through
 if(lived<1) return(u[1]*lived*YEARS/2)
 if(time[2]>=YEARS) {end<-u[1]+(u[2]-u[1])*YEARS/time[2]; return((u[1]+end)/2*YEARS)}
 (u[1]+u[2])/2*time[2]+u[2]*(YEARS-time[2])}
qalys<-function(d,utility="utility",dates=FALSE) sapply(seq_len(nrow(d)),function(i){
 days<-as.numeric(as.Date(d$interview_date_month6[i])-as.Date(d$interview_date_baseline[i]))
 t2<-if(dates&&!is.na(days)&&days>0) days/365.25 else YEARS
 curve(c(0,t2),unlist(d[i,paste0(utility,"_",VISITS)]),d$alive_month6[i])})
# A delta is a number to be added, or a list of a factor and a number.
change<-function(x,delta,added=1) {if(!is.list(delta)) delta<-list(plus=delta); (if(is.null(delta$times)) 1 else delta$times)*x+(if(is.null(delta$plus)) 0 else delta$plus)*added}
# What one evaluation needs of one table; `observed` and `came` say what was imputed as the interview is missing.
quantities<-function(d,v=list()){
 who<-if(is.null(v$perspective)) "nhs_pss" else v$perspective; u<-if(is.null(v$utility)) plan$utility else v$utility
 p<-price; if(is.list(v$unit_costs)) p[names(v$unit_costs)]<-p[names(v$unit_costs)]*unlist(v$unit_costs) else if(!is.null(v$unit_costs)) p<-p*v$unit_costs
 ab<-if(is.null(v$absence)) plan$absence$valued else v$absence; c0<-services_cost(d,"baseline",who,p,ab); c1<-services_cost(d,"month6",who,p,ab)
 if(!is.null(v$delta$cost)) {gap<-is.na(services_cost(observed,"month6",who,p))&!came
  for(a in names(v$delta$cost)) {i<-gap&d$arm==a; c1[i]<-pmax(0,change(c1[i],v$delta$cost[[a]],d$alive_month6[i]))}}
 if(!is.null(v$delta$utility)) for(a in names(v$delta$utility)){
  k<-paste0(u,"_month6"); i<-is.na(observed[[k]])&!came&d$arm==a&d$alive_month6==1; d[[k]][i]<-pmin(1,change(d[[k]][i],v$delta$utility[[a]]))}
 if(!is.null(v$winsorise)) {cut<-function(x) pmin(x,quantile(x,v$winsorise,type=7)); c0<-cut(c0); c1<-cut(c1)}
 q<-data.frame(services=c1,cost=c1+share[[if(is.null(v$share)) plan$intervention$share else v$share]],qaly=qalys(d,u,identical(v$times,"interviews")),
  cost0=c0,utility0=d[[paste0(u,"_baseline")]],utility1=d[[paste0(u,"_month6")]],d[COVARIATES],social_capital=d$social_capital_month6,social_capital0=d$social_capital_baseline)
 if(identical(v$adjust,"change")) {q$cost<-q$cost-q$cost0*plan$months/plan$baseline_months; q$qaly<-q$qaly-q$utility0*YEARS}
 q}
complete<-function(q) complete.cases(q[c("cost","qaly","cost0","utility0",COVARIATES)])

# ---- designs: a column for each arm, the rest centred at the means over all tables: the first two coefficients are the adjusted means
design<-function(q,columns,who=rep(TRUE,n),over=list(q)){
 Z<-model.matrix(~trust,data.frame(trust=droplevels(trust[who])))[,-1]
 centre<-c(colMeans(Z),if(length(columns)) colMeans(do.call(rbind,lapply(over,function(d) colMeans(d[columns]))))); Z<-sweep(cbind(Z,as.matrix(q[columns])),2,centre)
 cbind(control=as.numeric(!active[who]),intervention=as.numeric(active[who]),Z)}
CONTRASTS<-rbind(control=c(1,0),intervention=c(0,1),difference=c(-1,1))
wide<-function(p) cbind(CONTRASTS,matrix(0,3,p-2))
# Least squares, CR2 and Satterthwaite; columns and outcome brought to length one first, which changes nothing but rounding.
cr2<-function(X,y,groups){
 s<-sqrt(colSums(X^2)); r<-sqrt(sum(y^2)); Z<-sweep(X,2,s,"/"); L<-sweep(wide(ncol(X)),2,s,"/")
 fit<-lm(I(y/r)~0+Z); V<-vcovCR(fit,cluster=groups,type="CR2")
 t<-linear_contrast(fit,vcov=V,contrasts=L,test="Satterthwaite")
 data.frame(term=rownames(CONTRASTS),estimate=drop(L%*%coef(fit))*r,std_error=sqrt(diag(L%*%as.matrix(V)%*%t(L)))*r,df=t$df)}
covariance<-function(X,y,z,groups){ # of the differences in y and z, by a fit of both outcomes
 s<-sqrt(colSums(X^2)); r<-sqrt(c(sum(y^2),sum(z^2))); Z<-sweep(X,2,s,"/"); fit<-lm(cbind(y/r[1],z/r[2])~0+Z)
 V<-as.matrix(vcovCR(fit,cluster=groups,type="CR2")); l<-wide(ncol(X))[3,]/s; p<-ncol(X)
 drop(c(l,rep(0,p))%*%V%*%c(rep(0,p),l))*prod(r)}

# ---- Rubin's rules, and rows
rows<-list(); emit<-function(...) rows[[length(rows)+1]]<<-data.frame(...,stringsAsFactors=FALSE)
harmonic<-function(x) 1/mean(1/x)
pooled<-function(Q,U,df){
 if(length(Q)==1) return(list(estimate=Q,std_error=sqrt(U),df=df))
 r<-pool.scalar(Q,U,n=harmonic(df)+1); list(estimate=r$qbar,std_error=sqrt(r$t),df=r$df,fmi=r$fmi,mc_error=sqrt(r$b/r$m))}
interval<-function(r) {h<-qt(.5+LEVEL/2,r$df)*r$std_error; c(r$estimate-h,r$estimate+h)}
report<-function(fits,terms=rownames(CONTRASTS),...){ # fits: a list over imputations of data frames by term
 for(k in terms) {f<-do.call(rbind,lapply(fits,function(x) x[x$term==k,])); r<-pooled(f$estimate,f$std_error^2,f$df); ci<-interval(r)
  emit(...,term=if(k=="difference") k else "adjusted mean",level=if(k=="difference") "intervention - control" else k,
   estimate=r$estimate,std_error=r$std_error,df=r$df,statistic=if(k=="difference") r$estimate/r$std_error else NA,
   p_value=if(k=="difference") 2*pt(-abs(r$estimate/r$std_error),r$df) else NA,conf_low=ci[1],conf_high=ci[2],
   fmi=if(is.null(r$fmi)) NA else r$fmi,mc_error=if(is.null(r$mc_error)) NA else r$mc_error)}}
quadrant<-function(c,e) paste0(if(c>0) "more" else "less"," costly, ",if(e>0) "more" else "less"," effective")
# Fieller: the ratios at which the difference in cost less ratio times that in effect is not significant, searched for.
limit<-function(side,C,E,V,df,level=LEVEL) {
 gap<-function(r) abs(C-r*E)/sqrt(V[1]-2*r*V[3]+r^2*V[2])-qt(.5+level/2,df); x<-C/E; step<-1e-3*abs(x)
 while(gap(x+side*step)<0) {step<-2*step; if(step>1e15) return(NA)}
 uniroot(gap,sort(x+side*c(step/2,step)),tol=1e-300,maxiter=1e5)$root}
# Here hardly any interval of an effect excludes zero, so that the limits are also sought at a level low enough for them to exist.
pairs<-list()
ratio<-function(outcome,fits_c,fits_e,cov,...){ # cov: of the pair in each imputation
 d<-function(f) do.call(rbind,lapply(f,function(x) x[x$term=="difference",])); fc<-d(fits_c); fe<-d(fits_e)
 rc<-pooled(fc$estimate,fc$std_error^2,fc$df); re<-pooled(fe$estimate,fe$std_error^2,fe$df); k<-nrow(fc)
 v<-mean(cov)+if(k>1) (1+1/k)*cov(fc$estimate,fe$estimate) else 0
 meaningful<-rc$estimate*re$estimate>0; low<-high<-NA
 C<-rc$estimate; E<-re$estimate; V<-c(rc$std_error^2,re$std_error^2,v); lower<-.8*(1-2*pt(-abs(E)/re$std_error,re$df))
 pairs[[length(pairs)+1]]<<-data.frame(analysis=list(...)$analysis,outcome=outcome,cost=C,effect=E,cost_variance=V[1],effect_variance=V[2],covariance=v,df=re$df,
  level=lower,low=limit(-1,C,E,V,re$df,lower),high=limit(1,C,E,V,re$df,lower))
 emit(outcome=outcome,term="icer",level=quadrant(rc$estimate,re$estimate),inference="fieller",estimate=if(meaningful) rc$estimate/re$estimate else NA,
  conf_low=if(meaningful&&prod(interval(re))>0) limit(-1,C,E,V,re$df) else NA,
  conf_high=if(meaningful&&prod(interval(re))>0) limit(1,C,E,V,re$df) else NA,...)}

# ---- differences on the one design, net benefit, ratio
BOTH<-c("cost0","utility0",COVARIATES)
# Each outcome with its own baseline: both regressions as one with two blocks, everyone twice; outcomes at a standard deviation of one.
blocks<-function(Q,i,w,g,who){ # w: weights of cost and QALYs
 k<-c("cost","qaly"); s<-sapply(k,function(o) {x<-unlist(lapply(Q,`[[`,o)); sqrt(mean((x-mean(x))^2))})
 A<-design(Q[[i]],"cost0",who,Q); B<-design(Q[[i]],"utility0",who,Q); p<-ncol(A); zero<-matrix(0,nrow(A),p)
 X<-rbind(cbind(A,zero),cbind(zero,B)); z<-sqrt(colSums(X^2)); Z<-sweep(X,2,z,"/"); y<-c(Q[[i]]$cost/s[1],Q[[i]]$qaly/s[2])
 fit<-lm(y~0+Z); V<-vcovCR(fit,cluster=factor(rep(g,2)),type="CR2"); l<-wide(p)[3,]; none<-rep(0,p)
 L<-matrix(c(w[1]*s[1]*l,w[2]*s[2]*l)/z,1); t<-linear_contrast(fit,vcov=V,contrasts=L,test="Satterthwaite")
 list(fit=data.frame(term="difference",estimate=drop(L%*%coef(fit)),std_error=sqrt(drop(L%*%as.matrix(V)%*%t(L))),df=t$df),
  covariance=drop((c(s[1]*l,none)/z)%*%as.matrix(V)%*%(c(none,s[2]*l)/z)))}
ADJUST<-list(pair=character(0),change=character(0),both_baselines=c("cost0","utility0"))
evaluate<-function(Q,analysis,thresholds,terms,population="all-with-baseline",who=rep(TRUE,n),net=TRUE,ratios=TRUE,adjust=NULL){
 own<-identical(adjust,"own_baseline"); by<-if(is.null(adjust)) BOTH else if(own) NULL else ADJUST[[adjust]]
 X<-lapply(Q,design,by,who,Q); g<-team[who]
 fit<-function(y,X.=X) lapply(seq_along(Q),function(i) cr2(X.[[i]],y(Q[[i]]),g))
 C<-fit(function(q) q$cost,if(own) lapply(Q,design,"cost0",who,Q) else X); E<-fit(function(q) q$qaly,if(own) lapply(Q,design,"utility0",who,Q) else X)
 report(C,terms,analysis=analysis,population=population,model="ancova",inference="cr2",visit="month6",outcome="cost",n=sum(who))
 report(E,terms,analysis=analysis,population=population,model="ancova",inference="cr2",visit="month6",outcome="qaly",n=sum(who))
 if(net) for(l in thresholds) {N<-if(own) lapply(seq_along(Q),function(i) blocks(Q,i,c(-1,l),g,who)$fit) else fit(function(q) l*q$qaly-q$cost)
  report(N,"difference",analysis=analysis,population=population,model="net-benefit",inference="cr2",visit="month6",outcome="net_benefit",threshold=l,n=sum(who))
  r<-rows[[length(rows)]]
  emit(analysis=analysis,population=population,model="net-benefit",inference="cr2",visit="month6",outcome="net_benefit",threshold=l,n=sum(who),
   term="probability cost-effective",level="intervention - control",estimate=pt(r$estimate/r$std_error,r$df),df=r$df)}
 if(ratios) {cov<-sapply(seq_along(Q),function(i) if(own) blocks(Q,i,c(1,1),g,who)$covariance else covariance(X[[i]],Q[[i]]$cost,Q[[i]]$qaly,g))
  ratio("cost per qaly",C,E,cov,analysis=analysis,population=population,model="ancova",visit="month6",n=sum(who))}}
Q<-lapply(D,quantities); O<-quantities(observed); whole<-complete(O)
evaluate(Q,"economics",plan$thresholds,rownames(CONTRASTS))
evaluate(list(O[whole,]),"economics",NULL,rownames(CONTRASTS),"complete-case",whole,net=FALSE,ratios=FALSE)
for(v in plan$sensitivity) if(identical(v$data,"observed")) evaluate(list(O[whole,]),paste0("economics_",v$id),plan$main_thresholds,"difference","complete-case",whole) else
 evaluate(lapply(D,quantities,v),paste0("economics_",v$id),plan$main_thresholds,"difference",adjust=v$adjust)
for(k in plan$cost_per) {X<-lapply(Q,design,c(paste0(k,"0"),BOTH)); C<-lapply(1:m,function(i) cr2(X[[i]],Q[[i]]$cost,team)); E<-lapply(1:m,function(i) cr2(X[[i]],Q[[i]][[k]],team))
 ratio(paste("cost per",k),C,E,sapply(1:m,function(i) covariance(X[[i]],Q[[i]]$cost,Q[[i]][[k]],team)),analysis="economics",population="all-with-baseline",model="ancova",visit="month6",n=n)}

# ---- what perfect information would be worth: the integral of gains, by t and by the normal distribution
gain<-function(d,s,df) {f<-function(x) (d+s*x)*dt(x,df); integrate(f,-d/s,Inf,rel.tol=1e-13,subdivisions=1000)$value-max(0,d)}
whom<-with(plan$information,sum(people/(1+discount)^(seq_len(years)-1)))
for(r in rows) if(r$analysis=="economics"&&r$outcome=="net_benefit"&&r$term=="difference"&&r$model=="net-benefit") for(how in c("cr2","normal")){
 value<-gain(r$estimate,r$std_error,if(how=="cr2") r$df else Inf)
 e<-function(term,x) emit(analysis="economics",population=r$population,model=r$model,inference=how,visit="month6",outcome=r$outcome,threshold=r$threshold,n=n,term=term,
  level=r$level,estimate=x,df=if(how=="cr2") r$df else NA)
 e("expected value of perfect information",value); if(how=="cr2") e("expected value of perfect information, population",value*whom)}

# ---- who is left out: every pair, and every person by a fit of the others; standard errors side by side; how alike teams are
OUTCOMES<-c(list(list(outcome="cost",model="ancova",f=function(q) q$cost),list(outcome="qaly",model="ancova",f=function(q) q$qaly)),
 lapply(plan$main_thresholds,function(l) list(outcome="net_benefit",model="net-benefit",threshold=l,f=function(q) l*q$qaly-q$cost)))
say<-function(o,...) emit(analysis="economics",population="all-with-baseline",visit="month6",outcome=o$outcome,model=o$model,threshold=if(is.null(o$threshold)) NA else o$threshold,...)
without<-function(o,who,term,level){
 P<-lapply(Q,function(q) q[who,]); X<-lapply(P,design,BOTH,who,P); f<-do.call(rbind,lapply(1:m,function(i) {x<-cr2(X[[i]],o$f(P[[i]]),team[who]); x[x$term=="difference",]}))
 r<-pooled(f$estimate,f$std_error^2,f$df); ci<-interval(r)
 say(o,inference="cr2",term=term,level=level,n=sum(who),estimate=r$estimate,std_error=r$std_error,df=r$df,conf_low=ci[1],conf_high=ci[2],fmi=r$fmi,mc_error=r$mc_error)}
chi<-function(r) r$std_error*sqrt(r$df/qchisq(c(.5+LEVEL/2,.5-LEVEL/2),r$df))
for(o in OUTCOMES) {X<-lapply(Q,design,BOTH,rep(TRUE,n),Q)
 for(k in levels(trust)) without(o,trust!=k,"difference without one pair",k)
 alone<-sapply(1:n,function(j) mean(sapply(1:m,function(i) diff(lm.fit(X[[i]][-j,],o$f(Q[[i]])[-j])$coefficients[1:2]))))
 without(o,seq_len(n)!=which.min(alone),"difference without one person","lowest"); without(o,seq_len(n)!=which.max(alone),"difference without one person","highest")
 f<-do.call(rbind,lapply(1:m,function(i) {x<-cr2(X[[i]],o$f(Q[[i]]),team); x[x$term=="difference",]})); r<-pooled(f$estimate,f$std_error^2,f$df); ci<-chi(r)
 say(o,inference="cr2",term="standard error",level="",n=n,estimate=r$std_error,df=r$df,conf_low=ci[1],conf_high=ci[2])
 f<-sapply(1:m,function(i) {y<-o$f(Q[[i]]); s<-sqrt(mean(y^2)); Z<-cbind(1,active,X[[i]][,-(1:2)]); z<-sqrt(colSums(Z^2)); x<-summary(lm(I(y/s)~0+sweep(Z,2,z,"/")))
  c(x$coefficients[2,1:2]*s/z[2],x$df[2])}); r<-pooled(f[1,],f[2,]^2,f[3,]); ci<-chi(r)
 say(o,inference="t",term="standard error",level="",n=n,estimate=r$std_error,df=r$df,conf_low=ci[1],conf_high=ci[2])
 Z<-model.matrix(~0+team); parts<-lapply(1:m,function(i) {y<-o$f(Q[[i]]); s<-sqrt(mean(y^2)); M<-qr(sweep(X[[i]],2,sqrt(colSums(X[[i]]^2)),"/"))
  full<-qr(cbind(sweep(X[[i]],2,sqrt(colSums(X[[i]]^2)),"/"),Z),tol=1e-9); e<-qr.resid(M,y/s); D<-crossprod(Z,qr.resid(M,Z)); list(D=eigen(D,symmetric=TRUE),u=crossprod(Z,e)*s,
   within=sum(qr.resid(full,y/s)^2)*s^2,between=full$rank-M$rank,left=n-full$rank)})
 b<-parts[[1]]$between; w<-parts[[1]]$left; within<-mean(sapply(parts,`[[`,"within"))/w
 pivot<-function(r) mean(sapply(parts,function(p) {k<-seq_len(b); d<-p$D$values[k]; sum(crossprod(p$D$vectors[,k],p$u)^2/(d+r*d^2))}))/b/within
 lowest<--(1-1e-9)/max(sapply(parts,function(p) p$D$values[1])) # where the variance of the largest team's mean is none
 limit_of<-function(q) {r<-uniroot(function(r) pivot(r)-q,c(lowest,100),tol=1e-15)$root; r/(1+r)}
 ratio_of<-(pivot(0)-1)/mean(sapply(parts,function(p) sum(p$D$values[seq_len(b)])/b))
 say(o,inference="f",term="intraclass correlation",level="",n=n,estimate=ratio_of/(1+ratio_of),conf_low=limit_of(qf(.5+LEVEL/2,b,w)),conf_high=limit_of(qf(.5-LEVEL/2,b,w)))}

# ---- paired teams
adjusted<-function(y,z,who=rep(TRUE,n)){
 g<-droplevels(team[who]); inside<-function(x) x-ave(x,g); Z<-as.matrix(z); b<-coef(lm(inside(y)~0+apply(Z,2,inside)))
 a<-tapply(drop(y-Z%*%b),g,mean); of<-observed[match(names(a),observed$team),]
 tapply(a[of$arm=="intervention"],of$trust[of$arm=="intervention"],c)-tapply(a[of$arm=="control"],of$trust[of$arm=="control"],c)}
paired<-function(P,outcome,population,who,flips=TRUE,...){ # P: differences of the pairs, a list over imputations
 fits<-lapply(P,function(d) {t<-t.test(d); data.frame(term="difference",estimate=unname(t$estimate),std_error=t$stderr,df=unname(t$parameter))})
 report(fits,"difference",analysis="economics",population=population,model="team-means",inference="paired-t",visit="month6",outcome=outcome,n=sum(who),...)
 if(!flips) return(invisible()); d<-Reduce(`+`,P)/length(P)
 for(k in names(d)) emit(analysis="economics",population=population,model="team-means",inference="paired-t",visit="month6",outcome=outcome,n=sum(who),term="pair difference",level=k,estimate=d[[k]])
 signs<-as.matrix(expand.grid(rep(list(c(-1,1)),length(d)))); flipped<-abs(signs%*%d)/length(d)
 emit(analysis="economics",population=population,model="team-means",inference="sign-flip",visit="month6",outcome=outcome,n=sum(who),term="difference",level="intervention - control",
  estimate=mean(d),p_value=mean(flipped>=abs(mean(d))*(1-1e-9)),conf_low=min(d),conf_high=max(d))}
OWN<-list(cost="cost0",qaly="utility0")
differences<-function(q,k,who=rep(TRUE,n)) adjusted(q[[k]],q[OWN[[k]]],who)
for(k in names(OWN)) {paired(lapply(Q,differences,k),k,"all-with-baseline",rep(TRUE,n)); paired(list(differences(O[whole,],k,whole)),k,"complete-case",whole)}
for(l in plan$main_thresholds) paired(lapply(Q,function(q) l*differences(q,"qaly")-differences(q,"cost")),"net_benefit","all-with-baseline",rep(TRUE,n),flips=FALSE,threshold=l)

# ---- seemingly unrelated regressions: least squares on the stack whitened by the residual covariance
sur<-function(q){
 X<-list(design(q,c("cost0",COVARIATES),over=Q),design(q,c("utility0",COVARIATES),over=Q)); size<-lapply(X,function(x) sqrt(colSums(x^2))); s<-c(sqrt(mean(q$cost^2)),sqrt(mean(q$qaly^2)))
 Z<-lapply(1:2,function(k) sweep(X[[k]],2,size[[k]],"/")); y<-c(q$cost/s[1],q$qaly/s[2]); p<-ncol(X[[1]]); zero<-matrix(0,n,p)
 frame<-data.frame(y1=y[1:n],y2=y[n+1:n],a=Z[[1]],b=Z[[2]]); a<-grep("^a\\.",names(frame),value=TRUE); b<-grep("^b\\.",names(frame),value=TRUE)
 f<-systemfit(list(cost=reformulate(c("0",a),"y1"),qaly=reformulate(c("0",b),"y2")),method="SUR",data=frame,control=systemfit.control(methodResidCov="noDfCor"))
 W<-kronecker(chol(solve(f$residCovEst)),diag(n)); stack<-W%*%rbind(cbind(Z[[1]],zero),cbind(zero,Z[[2]])); w<-drop(W%*%y)
 fit<-lm(w~0+stack); stopifnot(max(abs(coef(fit)-coef(f)))<1e-8*max(abs(coef(f)))); V<-vcovCR(fit,cluster=factor(rep(team,2)),type="CR2"); none<-matrix(0,3,p)
 one<-function(L,scale) {t<-linear_contrast(fit,vcov=V,contrasts=L,test="Satterthwaite")
  data.frame(term=rownames(CONTRASTS),estimate=drop(L%*%coef(fit))*scale,std_error=sqrt(diag(L%*%as.matrix(V)%*%t(L)))*scale,df=t$df)}
 list(cost=one(cbind(sweep(wide(p),2,size[[1]],"/"),none),s[1]),qaly=one(cbind(none,sweep(wide(p),2,size[[2]],"/")),s[2]),sigma=f$residCov*outer(s,s))}
S<-lapply(Q,sur)
for(k in names(OWN)) report(lapply(S,`[[`,k),analysis="economics",population="all-with-baseline",model="sur",inference="cr2",visit="month6",outcome=k,n=n)
sigma<-Reduce(`+`,lapply(S,`[[`,"sigma"))/m
emit(analysis="economics",population="all-with-baseline",model="sur",inference="cr2",visit="month6",outcome="cost and qaly",term="residual correlation",estimate=cov2cor(sigma)[1,2],n=n)

# ---- log link, variance mu^1.5, of services; everyone set to either arm and averaged, delta method with covariates as they are;
# then the intervention's known cost is added to the mean of its arm.
# glm stops when the deviance does, some digits early: it is started again from where it stopped.
# One more model of the same kind of the fitted means; the last coefficient is asked for: CR2 of the whitened least squares fit.
again<-function(y,Z,power){
 scale<-mean(y); fam<-tweedie(var.power=power,link.power=0); fit<-glm(I(y/scale)~0+Z,family=fam,mustart=rep(1,n),control=glm.control(epsilon=1e-15,maxit=200))
 for(i in 1:20) fit<-glm(I(y/scale)~0+Z,family=fam,start=coef(fit),control=glm.control(epsilon=1e-300,maxit=25))
 b<-coef(fit); mu<-exp(drop(Z%*%b)); w<-mu^(1-power/2); white<-w*Z; size<-sqrt(colSums(white^2)); white<-sweep(white,2,size,"/"); z<-drop(white%*%(b*size))+(y/scale-mu)*mu^(-power/2)
 fit<-lm(z~0+white); V<-vcovCR(fit,cluster=team,type="CR2"); l<-matrix(c(rep(0,ncol(Z)-1),1/size[ncol(Z)]),1); t<-linear_contrast(fit,vcov=V,contrasts=l,test="Satterthwaite")
 data.frame(term="difference",estimate=drop(l%*%coef(fit)),std_error=drop(sqrt(l%*%as.matrix(V)%*%t(l))),df=t$df)}
park<-function(y,mu) {r<-again((y-mu)^2,cbind(1,log(mu/mean(mu))),2); r$estimate<-r$estimate-plan$variance_power; r} # modified Park test: less the power assumed
curved<-function(y,mu) {e<-log(mu); e<-e-mean(e); again(y,cbind(1,e,e^2),plan$variance_power)} # link test
loglink<-function(q){
 X<-design(q,BOTH); s<-sqrt(colSums(X^2)); Z<-sweep(X,2,s,"/"); y<-q$services; scale<-mean(y); fixed<-mean(share[[plan$intervention$share]][active])
 fam<-tweedie(var.power=plan$variance_power,link.power=0)
 fit<-glm(I(y/scale)~0+Z,family=fam,mustart=rep(1,n),control=glm.control(epsilon=1e-15,maxit=200))
 for(i in 1:3) fit<-glm(I(y/scale)~0+Z,family=fam,start=coef(fit),control=glm.control(epsilon=1e-300,maxit=25)); b<-coef(fit)
 V<-vcovCR(fit,cluster=team,type="CR2"); set<-function(a) {x<-X; x[,1]<-1-a; x[,2]<-a; sweep(x,2,s,"/")}
 mu<-lapply(0:1,function(a) exp(drop(set(a)%*%b))*scale); G<-t(sapply(0:1,function(a) colMeans(mu[[a+1]]*set(a)))); G<-rbind(G,G[2,]-G[1,])
 df<-sapply(1:3,function(i) linear_contrast(fit,vcov=V,contrasts=G[i,,drop=FALSE]/sqrt(sum(G[i,]^2)),test="Satterthwaite")$df)
 means<-sapply(mu,mean); l<-wide(ncol(X))[3,,drop=FALSE]; l<-sweep(l,2,s,"/"); t<-linear_contrast(fit,vcov=V,contrasts=l,test="Satterthwaite")
 list(means=data.frame(term=rownames(CONTRASTS),estimate=c(means,diff(means))+fixed*c(0,1,1),std_error=sqrt(diag(G%*%as.matrix(V)%*%t(G))),df=df),
  park=park(y,fitted(fit)*scale),link=curved(y,fitted(fit)*scale),
  ratio=data.frame(term="difference",estimate=drop(l%*%b),std_error=drop(sqrt(l%*%as.matrix(V)%*%t(l))),df=t$df),
  score=max(abs(t(Z)%*%((y/scale-fitted(fit))*fitted(fit)^(1-plan$variance_power)))))}
G<-lapply(Q,loglink); cat("largest score of the log-link fits:",max(sapply(G,`[[`,"score")),"\n")
report(lapply(G,`[[`,"means"),analysis="economics",population="all-with-baseline",model="log-link",inference="cr2",visit="month6",outcome="cost",n=n)
report(lapply(G,`[[`,"ratio"),"difference",analysis="economics",population="all-with-baseline",model="log-link",inference="cr2",visit="month6",outcome="cost",n=n)
k<-length(rows); x<-rows[[k]]; x$term<-"ratio"; x[c("estimate","conf_low","conf_high")]<-exp(x[c("estimate","conf_low","conf_high")]); x$std_error<-NA; x$mc_error<-NA; rows[[k]]<-x
for(k in c("park","link")) {report(lapply(G,`[[`,k),"difference",analysis="economics",population="all-with-baseline",model="log-link",inference="cr2",visit="month6",outcome="cost",n=n)
 i<-length(rows); x<-rows[[i]]; x$level<-""; x$term<-c(park="power of the variance",link="square of the linear predictor")[[k]]
 if(k=="park") x[c("estimate","conf_low","conf_high")]<-x[c("estimate","conf_low","conf_high")]+plan$variance_power; rows[[i]]<-x}

# ---- as it is: means and standard deviations, use and cost of services
arms<-list(control=!active,intervention=active)
described<-function(P,who,population,visit,outcome,pick){
 for(a in names(arms)) {i<-arms[[a]][who]; values<-lapply(P,function(q) pick(q)[i])
  emit(analysis="economics",population=population,model="descriptive",inference="none",visit=visit,outcome=outcome,term="mean",level=a,estimate=mean(sapply(values,mean)),n=sum(i))
  emit(analysis="economics",population=population,model="descriptive",inference="none",visit=visit,outcome=outcome,term="standard deviation",level=a,estimate=sqrt(mean(sapply(values,var))),n=sum(i))}}
for(pop in c("all-with-baseline","complete-case")) {P<-if(pop=="complete-case") list(O[whole,]) else Q; who<-if(pop=="complete-case") whole else rep(TRUE,n)
 described(P,who,pop,"baseline","cost",function(q) q$cost0); described(P,who,pop,"month6","cost",function(q) q$cost)
 described(P,who,pop,"baseline","utility",function(q) q$utility0); described(P,who,pop,"month6","utility",function(q) q$utility1)
 described(P,who,pop,"month6","qaly",function(q) q$qaly)}
paid<-function(v,outcome,a,i,s) {P<-lapply(D,function(d) (rowSums(sapply(s,function(k) d[[paste0(k,"_",v)]]*price[[k]]))*if(v=="baseline") 1 else d$alive_month6)[i])
 e<-function(term,estimate) emit(analysis="economics",population="all-with-baseline",model="descriptive",inference="none",visit=v,outcome=outcome,term=term,level=a,estimate=estimate,n=sum(i))
 e("mean cost",mean(sapply(P,mean))); e("standard deviation of cost",sqrt(mean(sapply(P,var))))}
for(a in names(arms)) {i<-arms[[a]]; costs_of<-lapply(Q,function(q) q$cost[i])
 dear<-function(q) mean(sapply(costs_of,function(x) 1-approx(0:length(x)/length(x),c(0,cumsum(sort(x)))/sum(x),1-q)$y))
 e<-function(...) emit(analysis="economics",population="all-with-baseline",model="descriptive",inference="none",visit="month6",outcome="cost",level=a,n=sum(i),...)
 e(term="share of the total",at="dearest 5%",estimate=dear(.05)); e(term="share of the total",at="dearest 10%",estimate=dear(.1))
 e(term="Gini coefficient",estimate=mean(sapply(costs_of,function(x) sum(abs(outer(x,x,"-")))/(2*length(x)^2*mean(x)))))
 emit(analysis="economics",population="all-with-baseline",model="descriptive",inference="none",visit="month6",outcome="intervention",term="mean cost",level=a,estimate=mean(share[[plan$intervention$share]][i]),n=sum(i))
 for(v in VISITS) for(s in services) {k<-paste0(s,"_",v); x<-observed[[k]][i]; x<-x[!is.na(x)]
  e<-function(term,estimate,population,n) emit(analysis="economics",population=population,model="descriptive",inference="none",visit=v,outcome=s,term=term,level=a,estimate=estimate,n=n)
  e("mean use",mean(x),"observed-follow-ups",length(x)); e("standard deviation of use",sd(x),"observed-follow-ups",length(x)); e("users",mean(x>0),"observed-follow-ups",length(x))
  paid(v,s,a,i,s)}
 for(v in VISITS) for(k in names(plan$categories)) paid(v,k,a,i,plan$categories[[k]]$services)}

# ---- missed interviews: a grid of factors of cost and amounts of utility, none cut off, and the amount at which net benefit is zero
worth<-function(q,l,times=1,plus=0) {gone<-!came&active; c1<-ifelse(gone,times,1)*q$services; l*(q$qaly+ifelse(gone&observed$alive_month6==1,plus,0)*YEARS/2)-c1-(q$cost-q$services)}
XQ<-lapply(Q,design,BOTH,rep(TRUE,n),Q)
benefit<-function(l,times,plus) {f<-do.call(rbind,lapply(seq_along(Q),function(i) {x<-cr2(XQ[[i]],worth(Q[[i]],l,times,plus),team); x[x$term=="difference",]}))
 r<-pooled(f$estimate,f$std_error^2,f$df); ci<-interval(r); c(r,list(low=ci[1],high=ci[2]))}
root<-function(f) {ends<-c(f(-1),f(1)); if(prod(ends)>=0) NA else uniroot(f,c(-1,1),tol=1e-14)$root}
same<-list(analysis="economics_departures",population="all-with-baseline",model="net-benefit",inference="cr2",visit="month6",outcome="net_benefit",n=n,level="intervention - control")
for(l in plan$main_thresholds) for(x in plan$departures$cost$times) {
 for(u in plan$departures$utility$plus) {r<-benefit(l,x,u); do.call(emit,c(same,list(threshold=l,at=sprintf("cost times %g, %g",x,u),term="difference",estimate=r$estimate,std_error=r$std_error,df=r$df,
  statistic=r$estimate/r$std_error,p_value=2*pt(-abs(r$estimate/r$std_error),r$df),conf_low=r$low,conf_high=r$high,fmi=r$fmi,mc_error=r$mc_error)))}
 tip<- -benefit(l,x,0)$estimate/(benefit(l,x,1)$estimate-benefit(l,x,0)$estimate)
 ends<-sort(c(root(function(u) benefit(l,x,u)$low),root(function(u) benefit(l,x,u)$high)),na.last=TRUE); if(anyNA(ends)) ends<-c(NA,NA)
 do.call(emit,c(same,list(threshold=l,at=sprintf("cost times %g, ",x),term="tipping point",estimate=tip,conf_low=ends[1],conf_high=ends[2])))}

# ---- net benefit if those who were lost in the intervention arm fared as in the reference arm, beside missing at random: by the
# regression on teams of what each follow-up is worth, services left blank and the dead by their means, jackknife over Trusts
mean_of<-function(f) Reduce(`+`,lapply(seq_along(Q),f))/m
first<-(observed$alive_month6==1)*YEARS/2+(observed$alive_month6<1)*observed$alive_month6*YEARS/2 # what the baseline utility counts for
jump<-function(l,strategy,kept){
 later<-mean_of(function(i) l*(Q[[i]]$qaly-first*Q[[i]]$utility0)-Q[[i]]$services); gone<-!came&observed$alive_month6==1; z<-mean_of(function(i) as.matrix(Q[[i]][BOTH]))
 d<-data.frame(y=ifelse(gone,NA,later),team=droplevels(factor(ifelse(kept,as.character(team),NA))),z=z)[kept,]; f<-lm(y~0+team+.,d,na.action=na.omit)
 b<-coef(f)[paste0("team",levels(d$team))]; of<-observed[match(levels(d$team),observed$team),]; pairs<-sapply(unique(of$trust),function(p) b[of$trust==p&of$arm=="intervention"]-b[of$trust==p&of$arm=="control"])
 y<-d$y; g<-is.na(y); y[g]<-predict(f,d)[g]; if(strategy=="JR") y<-y-ifelse(g&active[kept],mean(pairs),0)
 total<-y+(l*first*mean_of(function(i) Q[[i]]$utility0)-share[[plan$intervention$share]])[kept]
 unname(coef(lm(total~active[kept]+factor(observed$trust[kept])+z[kept,]))[2])}
for(l in plan$main_thresholds) for(s in c("MAR",plan$departures$reference_based)) {
 whole_<-jump(l,s,rep(TRUE,n)); out<-sapply(levels(trust),function(p) jump(l,s,trust!=p)); k<-length(out); se<-sqrt((k-1)/k*sum((out-mean(out))^2)); h<-qt(.5+LEVEL/2,k-1)*se
 emit(analysis="economics_reference_based",population="all-with-baseline",model="net-benefit",inference="jackknife",visit="month6",outcome="net_benefit",threshold=l,at=s,n=n,term="difference",
  level="intervention - control",estimate=whole_,std_error=se,df=k-1,statistic=whole_/se,p_value=2*pt(-abs(whole_/se),k-1),conf_low=whole_-h,conf_high=whole_+h)}

# ---- net benefit in the plan's subgroups: interaction with a number in SDs
for(s in analyses$subgroups) for(l in plan$main_thresholds) {
 v<-lapply(Q,`[[`,s$variable); centre<-mean(unlist(v)); sd_<-sqrt(mean(sapply(v,var))); rest<-setdiff(BOTH,s$variable)
 fits<-lapply(seq_along(Q),function(i) {z<-(v[[i]]-centre)/sd_; X<-cbind(design(Q[[i]],rest,over=Q),z,z*active); y<-worth(Q[[i]],l)
  w<-sqrt(colSums(X^2)); r<-sqrt(sum(y^2)); Z<-sweep(X,2,w,"/"); f<-lm(I(y/r)~0+Z); V<-vcovCR(f,cluster=team,type="CR2"); p<-ncol(X); L<-matrix(0,3,p); L[1,p]<-1; L[2,c(1,2,p)]<-c(-1,1,-1); L[3,c(1,2,p)]<-c(-1,1,1); L<-sweep(L,2,w,"/")
  t<-linear_contrast(f,vcov=V,contrasts=L,test="Satterthwaite"); data.frame(term=1:3,estimate=drop(L%*%coef(f))*r,std_error=sqrt(diag(L%*%as.matrix(V)%*%t(L)))*r,df=t$df)})
 labels<-paste0(s$variable,c(", per SD",", 1 SD below the mean",", 1 SD above the mean"))
 for(k in 1:3) {f<-do.call(rbind,lapply(fits,function(x) x[k,])); r<-pooled(f$estimate,f$std_error^2,f$df); ci<-interval(r)
  emit(analysis="economics",population="all-with-baseline",model="net-benefit",inference="cr2",visit="month6",outcome="net_benefit",threshold=l,at=labels[k],n=n,term=if(k==1) "interaction" else "subgroup difference",level="intervention - control",
   estimate=r$estimate,std_error=r$std_error,df=r$df,statistic=r$estimate/r$std_error,p_value=2*pt(-abs(r$estimate/r$std_error),r$df),conf_low=ci[1],conf_high=ci[2],fmi=r$fmi,mc_error=r$mc_error)}}

# ---- what it costs whoever pays: from the difference in costs, without what the intervention was counted at
d<-rows[[which(sapply(rows,function(r) r$analysis=="economics"&&r$model=="ancova"&&r$outcome=="cost"&&r$term=="difference"&&r$population=="all-with-baseline"))]]
counted<-mean(share[[plan$intervention$share]][active]); charged<-if(is.null(plan$budget_impact$price)) counted else plan$budget_impact$price; up<-plan$budget_impact$uptake
for(k in seq_len(length(up)+1)) {got<-plan$budget_impact$caseload*(if(k>length(up)) sum(up) else up[k]); level<-if(k>length(up)) "all years" else paste("year",k)
 e<-function(term,...) emit(analysis="economics",population="all-with-baseline",model="ancova",inference="cr2",visit="month6",outcome="cost",term=term,level=level,n=n,...)
 e("budget impact: people",estimate=got); e("budget impact: intervention",estimate=got*charged)
 for(part in c(": services","")) {more<-if(part=="") charged else 0; e(paste0("budget impact",part),estimate=got*(d$estimate-counted+more),std_error=got*d$std_error,df=d$df,conf_low=got*(d$conf_low-counted+more),conf_high=got*(d$conf_high-counted+more))}}

names_of<-c("analysis","population","model","inference","visit","outcome","term","level","threshold","at","n","estimate","std_error","df","statistic","p_value","conf_low","conf_high","fmi","mc_error")
table<-do.call(rbind,lapply(rows,function(r) {r[setdiff(names_of,names(r))]<-NA; r[names_of]}))
costs<-data.frame(participant=observed$participant,cost_baseline=services_cost(observed,"baseline"),cost_month6=services_cost(observed,"month6"),
 societal_baseline=services_cost(observed,"baseline","societal"),societal_month6=services_cost(observed,"month6","societal"),
 intervention_participants=share$participants,intervention_teams=share$teams,intervention_caseload=share$caseload,qaly=qalys(observed),qaly_interviews=qalys(observed,dates=TRUE))
write_json(list(rows=table,pairs=do.call(rbind,pairs),people=costs,items=items[c("item","cost")],prices=as.list(price),session=capture.output(sessionInfo())),"evaluation.json",digits=I(15),auto_unbox=TRUE,pretty=FALSE,na="null",dataframe="columns")
cat(nrow(table),"rows\n")
