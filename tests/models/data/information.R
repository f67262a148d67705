# Expected value of perfect information on a difference: the integral of max(0, D) over what is known of D, less max(0, E D), by adaptive
# quadrature and by drawing; t with location d, scale s and nu degrees of freedom, or normal. Rscript information.R
suppressMessages(library(jsonlite)); set.seed(20230711); DRAWS<-4e6
cases<-expand.grid(d=c(-2000,-583.3,-20,0,45,760),s=c(.7,120,471),nu=c(1.05,1.5,2.1,4.17,30,Inf))
# By parts the integral of the upper tail from |d| / s on; over the logarithm of the distance from there, as tails are long, in pieces.
integral<-function(d,s,nu) {t<-abs(d)/s; f<-function(z) exp(z)*pt(t+exp(z),nu,lower.tail=FALSE); ends<-c(seq(-40,40,by=2),seq(60,660,by=20))
 s*sum(mapply(function(a,b) integrate(f,a,b,rel.tol=1e-12,abs.tol=0,subdivisions=2000,stop.on.error=FALSE)$value,head(ends,-1),tail(ends,-1)))}
cases$integral<-mapply(integral,cases$d,cases$s,cases$nu)
few<-subset(cases,s==471&nu>=4&abs(d)<1000); drawn<-mapply(function(d,s,nu) {x<-d+s*rt(DRAWS,nu); g<-pmax(0,x)-(d>0)*x; c(mean(g),sd(g)/sqrt(DRAWS))},few$d,few$s,few$nu)
few$drawn<-drawn[1,]; few$error<-drawn[2,]
population<-expand.grid(people=c(1,12345),years=c(1,2,20),discount=c(0,.015,.035))
population$number<-with(population,mapply(function(p,y,r) sum(p/(1+r)^(seq_len(y)-1)),people,years,discount))
cases$nu[is.infinite(cases$nu)]<-NA; few$nu[is.infinite(few$nu)]<-NA
write_json(list(cases=cases,drawn=few,population=population,session=capture.output(sessionInfo())),"information.json",digits=I(15),auto_unbox=TRUE,na="null",dataframe="columns")
