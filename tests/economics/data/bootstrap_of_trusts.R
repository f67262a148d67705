# The two-stage bootstrap on fixed resampling indices, complete data: Rscript bootstrap_of_trusts.R
# Reads clustered_trial.csv of the folder ../../models/data; writes bootstrap_of_trusts.json.
suppressMessages(library(jsonlite))
d <- read.csv("../../models/data/clustered_trial.csv", stringsAsFactors = TRUE)
d$arm <- as.numeric(d$arm == "intervention"); n <- nrow(d)
set.seed(20261123); draws <- 20
# Stage one: Trusts with replacement; stage two: the people of each of their teams. Rows from 1.
indices <- lapply(seq_len(draws), function(b) lapply(sample(levels(d$trust), 5, replace = TRUE), function(trust) {
  teams <- sort(unique(as.character(d$team[d$trust == trust])))
  lapply(teams, function(team) { r <- which(d$team == team); r[sample.int(length(r), replace = TRUE)] }) }))
rows <- function(draw) unlist(draw)
copies <- function(draw) factor(rep(seq_along(draw), sapply(draw, function(copy) length(unlist(copy)))))
covariates <- c("y0", "age", "female")
# Coefficient of the arm: lm with a factor for the copies of Trusts.
arm_of <- function(y, r, unit) { s <- d[r, ]; s$y <- y; s$unit <- unit
  coef(lm(reformulate(c("arm", "unit", covariates), "y"), s))[["arm"]] }
both <- function(y, r, unit) apply(y, 2, arm_of, r = r, unit = unit)

case <- function(y) {
  X <- model.matrix(reformulate(c("arm", "trust", covariates)), d); p <- ncol(X)
  XXi <- solve(t(X) %*% X); M <- diag(n) - X %*% XXi %*% t(X); a <- drop(X %*% XXi[, "arm"])
  b <- XXi %*% t(X) %*% y; e <- M %*% y
  Z <- model.matrix(~ 0 + team, d); sizes <- colSums(Z); means <- t(Z) %*% e / sizes
  # Covariance between people within teams: covariates and teams as factors.
  W <- cbind(Z, as.matrix(d[, covariates])); within <- lm.fit(W, y)$residuals
  sigma <- t(within) %*% within / (n - ncol(W))
  P <- nlevels(d$trust); r <- matrix(0, P, 2); g <- matrix(0, P, n)
  for (i in seq_len(P)) {
    part <- ifelse(d$trust == levels(d$trust)[i], a, 0)
    r[i, ] <- t(part) %*% M %*% Z %*% means
    g[i, ] <- t(part) %*% M %*% Z %*% diag(1 / sizes) %*% t(Z) %*% M
  }
  S <- t(r) %*% r; N <- sum(g^2) * sigma; A <- sum((g %*% Z)^2); kappa <- sum((t(a) %*% Z)^2)
  canonical <- eigen(solve(N) %*% S); V <- canonical$vectors
  k <- sqrt(kappa / A * pmax(0, 1 - 1 / canonical$values))
  K <- solve(t(V)) %*% diag(k) %*% t(V)
  team <- as.integer(d$team)
  w <- (e - means[team, ]) / sqrt(1 - 1 / sizes[team])
  z <- means[team, ] %*% t(K) + w
  centre <- both(z, seq_len(n), d$trust)
  list(estimate = b["arm", ], shares = canonical$values, K = K,
    as_drawn = t(sapply(indices, function(x) both(y[rows(x), ], rows(x), copies(x)))),
    corrected = t(sapply(indices, function(x) b["arm", ] + both(z[rows(x), ], rows(x), copies(x)) - centre)))
}
y <- as.matrix(d[, c("cost", "qaly")])
# The same with teams that differ, by known amounts: the trial's own differ less than by chance.
shifts <- cbind(cost = 1500 * sin(1:10), qaly = 0.03 * cos(2 * (1:10)))
strong <- cbind(cost = 3000 * sin(1:10), qaly = 0.06 * cos(3 * (1:10)))
out <- list(adjust = covariates, indices = indices, shifts = list(none = 0 * shifts, some = shifts, strong = strong),
  cases = list(none = case(y), some = case(y + shifts[as.integer(d$team), ]), strong = case(y + strong[as.integer(d$team), ])),
  session = capture.output(sessionInfo()))
write_json(out, "bootstrap_of_trusts.json", digits = I(15), auto_unbox = TRUE, matrix = "rowmajor")
print(lapply(out$cases, function(x) x[c("estimate", "shares", "K")]))
