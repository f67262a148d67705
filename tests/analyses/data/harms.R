# Shares of people with an event and their difference between arms, where people sit in few teams:
# exact limits of the people that a team's are worth at an assumed intraclass correlation (qbeta),
# or CR2 on the scale of log odds (clubSandwich) where ten or more have the event; limits of the
# difference by Zou and Donner (2008). Rscript harms.R writes harms.json beside it.
suppressPackageStartupMessages({library(clubSandwich); library(jsonlite)})
n <- c(18, 13, 17, 20, 8, 22, 19, 10, 9, 15)
d <- data.frame(team = rep(1:10, n), active = rep(c(0, 1), c(76, 75)))
had <- function(counts) unlist(Map(function(n, k) rep(c(1, 0), c(k, n - k)), n, counts))
d$few <- had(c(0, 1, 0, 0, 0, 2, 0, 1, 0, 2))
d$none <- had(c(0, 0, 0, 0, 0, 1, 2, 0, 0, 1))
d$many <- had(c(5, 1, 4, 9, 2, 3, 8, 1, 0, 4))
icc <- 0.1

one <- function(y, team) {
  size <- table(team); n <- sum(size); k <- sum(y)
  if (min(k, n - k) < 10) {
    worth <- n / (1 + (sum(size^2) / n - 1) * icc)
    x <- k * worth / n
    low <- if (k == 0) 0 else qbeta(0.025, x, worth - x + 1)
    return(c(k / n, low, qbeta(0.975, x + 1, worth - x)))
  }
  fit <- glm(y ~ 1, family = binomial, control = glm.control(epsilon = 1e-14))
  ci <- conf_int(fit, vcovCR(fit, team, type = "CR2"), test = "Satterthwaite")
  plogis(c(coef(fit), ci$CI_L, ci$CI_U))
}

found <- lapply(c(few = "few", none = "none", many = "many"), function(name) {
  arm <- lapply(0:1, function(a) one(d[[name]][d$active == a], factor(d$team[d$active == a])))
  q <- arm[[1]]; p <- arm[[2]]; apart <- p[1] - q[1]
  list(reference = q, active = p, all = one(d[[name]], factor(d$team)), difference = c(apart,
    apart - sqrt((p[1] - p[2])^2 + (q[3] - q[1])^2), apart + sqrt((p[3] - p[1])^2 + (q[1] - q[2])^2)))
})
write_json(list(data = d, icc = icc, found = found, session = capture.output(sessionInfo())),
           "harms.json", dataframe = "columns", digits = I(15), pretty = TRUE, auto_unbox = TRUE)
