# Shares and means of people in teams: lm and glm with clubSandwich, alpha, ordinal summaries: Rscript shares.R
suppressMessages({library(jsonlite); library(clubSandwich)})
set.seed(20261129)
team<-rep(1:7,times=c(6,9,7,8,5,9,7)); n<-length(team)
away<-rnorm(7,0,.6)[team]; worker<-rbinom(n,1,.55); trait<-away+rnorm(n,0,.8)+.4*worker
item<-function(shift,noise) pmin(5,pmax(1,round(4+shift+trait+rnorm(n,0,noise))))
d<-data.frame(team=team,worker=worker,a=item(0,.6),b=item(.2,.8),c=item(-.3,.7),d=item(.1,.9))
d$late<-pmin(5,pmax(1,d$a+sample(c(-1,0,0,1),n,TRUE))); d$top<-as.numeric(d$a>=4); d$high<-as.numeric(d$d==5)
cr2<-function(fit) { x<-coef_test(fit,vcov="CR2",cluster=d$team,test="Satterthwaite")
 y<-conf_int(fit,vcov="CR2",cluster=d$team,test="Satterthwaite")
 list(beta=x$beta,SE=x$SE,df=x$df,low=y$CI_L,high=y$CI_U) }
alpha<-function(x) {x<-as.matrix(x); k<-ncol(x); k/(k-1)*(1-sum(apply(x,2,var))/var(rowSums(x)))}
x<-d[c("a","b","c","d")]; g<-sort(unique(d$team)); without<-sapply(g,function(i) log(1-alpha(x[d$team!=i,])))
se<-sqrt((length(g)-1)/length(g)*sum((without-mean(without))^2)); t<-qt(.975,length(g)-1); all<-log(1-alpha(x))
out<-list(data=d,
 share=cr2(lm(top~1,d)), logit=cr2(glm(top~1,binomial,d,control=glm.control(epsilon=1e-14))),
 share_high=cr2(lm(high~1,d)), logit_high=cr2(glm(high~1,binomial,d,control=glm.control(epsilon=1e-14))),
 mean=cr2(lm(a~1,d)), change=cr2(lm(I(late-a)~1,d)), workers=cr2(lm(a~worker,d)), workers_top=cr2(lm(top~worker,d)),
 alpha=alpha(x), alpha_low=1-exp(all+t*se), alpha_high=1-exp(all-t*se),
 quartiles=lapply(x,function(v) as.vector(quantile(v,c(.25,.5,.75),type=7))),
 shares=lapply(x,function(v) as.vector(prop.table(table(factor(v,1:5))))),
 exact=lapply(list(c(0,38),c(3,38),c(38,38)),function(v) as.vector(binom.test(v[1],v[2])$conf.int)),
 session=capture.output(sessionInfo()))
write_json(out,"shares.json",digits=I(15),auto_unbox=TRUE,pretty=TRUE,dataframe="columns"); str(out[c("share","logit","alpha","alpha_low","alpha_high")])
