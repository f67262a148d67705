# A horizon of two years with visits at 6, 12 and 24 months, from docs/economics.md alone: Rscript two_years.R
# Costs and QALYs of each person, discounted; days off work by friction costs; annuities. All people are made up here.
suppressMessages(library(jsonlite))
set.seed(24); n<-40; MONTHS<-c(0,6,12,24); VISITS<-c("start","half","year","end"); RATE<-c(costs=.035,effects=.015); FRICTION<-c(days=20,elasticity=.8)
PRICE<-c(gp=41.5,bed=433,days=97); HORIZON<-2
d<-data.frame(participant=sprintf("P%02d",1:n))
for(v in VISITS) {d[[paste0("gp_",v)]]<-rpois(n,3); d[[paste0("bed_",v)]]<-rpois(n,.6); d[[paste0("days_",v)]]<-rpois(n,15); d[[paste0("u_",v)]]<-round(pmin(1,rnorm(n,.6,.25)),3); d[[paste0("alive_",v)]]<-1}
# Three deaths: in the first, the second and the third period; later periods are not lived at all.
for(k in 1:3) {i<-k*11; v<-VISITS[k+1]; d[i,paste0("alive_",v)]<-c(.25,.6,.4)[k]; later<-VISITS[seq_along(VISITS)>k+1]; for(w in later) d[i,paste0("alive_",w)]<-0
 for(w in c(v,later)) d[i,paste0("u_",w)]<-0}
# What a moment counts for: nothing is taken off in the first year, one year's rate in the second; by integration.
counts<-function(t,r) (1+r)^-floor(t)
spread<-function(from,to,r) if(to<=from) 1 else {cuts<-sort(unique(c(from,to,seq(ceiling(from),floor(to)))));cuts<-cuts[cuts>=from&cuts<=to]
 sum(sapply(seq_along(cuts)[-1],function(k) integrate(function(t) counts((cuts[k]+cuts[k-1])/2,r)+0*t,cuts[k-1],cuts[k],rel.tol=1e-13)$value))/(to-from)}
cost<-function(i,friction) sum(sapply(2:4,function(k) {v<-VISITS[k]; lived<-d[i,paste0("alive_",v)]; if(lived==0) return(0)
 days<-d[i,paste0("days_",v)]; if(friction) days<-min(days,FRICTION[["days"]])*FRICTION[["elasticity"]]
 from<-MONTHS[k-1]/12; to<-from+lived*(MONTHS[k]-MONTHS[k-1])/12
 sum(c(d[i,paste0("gp_",v)],d[i,paste0("bed_",v)],days)*PRICE)*lived*spread(from,to,RATE[["costs"]])}))
# The utility curve as points, from the start to the death or the horizon, and its area in pieces that lie within one year.
qaly<-function(i,r) {t<-MONTHS/12; u<-unlist(d[i,paste0("u_",VISITS)]); a<-unlist(d[i,paste0("alive_",VISITS)])
 if(any(a<1)) {k<-which(a<1)[1]; t<-c(t[seq_len(k-1)],t[k-1]+a[k]*(t[k]-t[k-1])); u<-c(u[seq_len(k-1)],0)}
 f<-approxfun(t,u); cuts<-sort(unique(c(t,(0:HORIZON)[0:HORIZON<=max(t)])))
 sum(sapply(seq_along(cuts)[-1],function(k) (f(cuts[k-1])+f(cuts[k]))/2*(cuts[k]-cuts[k-1])*counts((cuts[k]+cuts[k-1])/2,r)))}
people<-data.frame(d,cost_human=sapply(1:n,cost,FALSE),cost_friction=sapply(1:n,cost,TRUE),qaly=sapply(1:n,qaly,RATE[["effects"]]),qaly_undiscounted=sapply(1:n,qaly,0))
# Annuities: what is paid at the end of each of so many years and is worth the cost today; the horizon bears its years of it, discounted.
payment<-function(years,r) {whole<-floor(years); if(r==0) return(1/years); if(years==whole) 1/sum((1+r)^-seq_len(whole)) else r/(1-exp(-years*log1p(r)))}
annuities<-expand.grid(lifetime=c(1,2,2.5,3,5,10),rate=c(0,.035,.06),horizon=c(.5,1,1.5,2,3.25))
annuities$share<-mapply(function(l,r,h) if(l<=h) 1 else min(1,payment(l,r)*sum(sapply(seq_len(ceiling(h)),function(y) (min(y,h)-(y-1))*(1+.035)^-(y-1)))),annuities$lifetime,annuities$rate,annuities$horizon)
write_json(list(people=people,annuities=annuities,session=capture.output(sessionInfo())),"two_years.json",digits=I(15),auto_unbox=TRUE,dataframe="columns")
cat(colMeans(people[c("cost_human","cost_friction","qaly","qaly_undiscounted")]),"\n")
