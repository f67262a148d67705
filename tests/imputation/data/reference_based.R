# Conditional-mean imputation with jackknife on Beat the Blues, a second time and without rbmi.
#
# rbmi's figures (rbmi_condmean.reference.json) come from mmrm, whose first optimiser is optim's
# L-BFGS-B with its default tolerance, from the identity matrix. Here the REML criterion is written
# out. Minimised in that way ("stopped") it gives rbmi's estimates to ten digits; minimised to the
# end ("optimum") it gives what an exact fit has to give. Both covariances are kept for each of the
# 101 fits (everybody, then without person 1, 2, ...), and the results at the optimum.
#
# Rscript reference_based.R, beside btheb.csv; writes reference_based.reference.json.
library(jsonlite)
t <- read.csv("btheb.csv", check.names = FALSE)
Y <- as.matrix(t[, c("bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m")]); n <- nrow(Y)
act <- as.numeric(t$treatment == "BtheB"); pre <- t$bdi.pre
fixed <- cbind(as.numeric(t$drug == "Yes"), as.numeric(t$length == ">6m"))
design <- function(i, arm) { # mean and arm and baseline at each visit; drug and length in common
  X <- matrix(0, 4, 14)
  for (k in 1:4) X[k, c((k - 1) * 3 + 1:3, 13:14)] <- c(1, arm, pre[i] / 20, fixed[i, ])
  X
}
own <- lapply(1:n, function(i) design(i, act[i])); ref <- lapply(1:n, function(i) design(i, 0))

factor_of <- function(th) { # mmrm: log standard deviations, then a unit lower triangle by rows
  L <- diag(4); k <- 5
  for (i in 2:4) for (j in 1:(i - 1)) { L[i, j] <- th[k]; k <- k + 1 }
  exp(th[1:4]) * L
}
criterion <- function(th, keep) {
  A <- factor_of(th); V <- A %*% t(A); XX <- matrix(0, 14, 14); XY <- numeric(14); ld <- 0
  seen <- lapply(keep, function(i) which(!is.na(Y[i, ]))); W <- list()
  for (j in seq_along(keep)) {
    o <- seen[[j]]; i <- keep[j]; if (!length(o)) next
    key <- paste(o, collapse = "")
    if (is.null(W[[key]])) { u <- chol(V[o, o, drop = FALSE]); W[[key]] <- list(chol2inv(u), 2 * sum(log(diag(u)))) }
    x <- own[[i]][o, , drop = FALSE]; wx <- W[[key]][[1]] %*% x
    ld <- ld + W[[key]][[2]]; XX <- XX + crossprod(x, wx); XY <- XY + crossprod(wx, Y[i, o])
  }
  Phi <- chol2inv(chol(XX)); b <- Phi %*% XY; rss <- 0; G <- matrix(0, 4, 4); N <- 0
  for (j in seq_along(keep)) {
    o <- seen[[j]]; i <- keep[j]; if (!length(o)) next
    w <- W[[paste(o, collapse = "")]][[1]]; x <- own[[i]][o, , drop = FALSE]
    e <- Y[i, o] - x %*% b; r <- w %*% e; wx <- w %*% x
    rss <- rss + sum(e * r); N <- N + length(o)
    G[o, o] <- G[o, o] + (w - r %*% t(r) - wx %*% Phi %*% t(wx)) / 2
  }
  f <- (ld + rss + as.numeric(determinant(XX)$modulus) + (N - 14) * log(2 * pi)) / 2
  H <- 2 * G %*% A; d <- exp(th[1:4]); g <- rowSums(H * A)
  for (i in 2:4) for (j in 1:(i - 1)) g <- c(g, H[i, j] * d[i])
  list(f = f, g = g, V = V, b = as.numeric(b))
}
minimise <- function(keep, start, factr) {
  optim(start, function(th) criterion(th, keep)$f, function(th) criterion(th, keep)$g,
        method = "L-BFGS-B", control = list(factr = factr, maxit = 500))$par
}

impute <- function(keep, fit, strategy, delta) {
  Z <- Y
  for (i in keep) {
    gone <- is.na(Y[i, ]); if (!any(gone)) next
    mu <- as.numeric(own[[i]] %*% fit$b); rf <- as.numeric(ref[[i]] %*% fit$b)
    d <- max(c(0, which(!gone))) + 1 # the event: the first visit after the last observed one
    m <- mu
    if (d <= 4 && strategy != "MAR") {
      if (strategy == "CR") m <- rf
      if (strategy == "JR") m[d:4] <- rf[d:4]
      if (strategy == "CIR") m[d:4] <- rf[d:4] + if (d > 1) mu[d - 1] - rf[d - 1] else 0
    }
    if (all(gone)) Z[i, ] <- m else {
      S <- fit$V[gone, !gone, drop = FALSE] %*% solve(fit$V[!gone, !gone, drop = FALSE])
      Z[i, gone] <- m[gone] + S %*% (Y[i, !gone] - m[!gone])
    }
    Z[i, gone] <- Z[i, gone] + delta * act[i]
  }
  Z
}
analyse <- function(keep, fit, strategy, delta) { # per visit: difference, mean of TAU, of BtheB
  Z <- impute(keep, fit, strategy, delta); C <- scale(cbind(pre, fixed)[keep, ], scale = FALSE)
  as.numeric(sapply(1:4, function(k) {
    b <- coef(lm(Z[keep, k] ~ act[keep] + C)); c(b[2], b[1], b[1] + b[2])
  }))
}
cases <- list(MAR = list("MAR", 0), MAR_delta3 = list("MAR", 3), JR = list("JR", 0),
              CR = list("CR", 0), CIR = list("CIR", 0))
keeps <- lapply(0:n, function(i) setdiff(1:n, i))
stopped <- lapply(keeps, function(k) minimise(k, rep(0, 10), 1e7))
best <- mapply(function(k, th) minimise(k, th, 0.1), keeps, stopped, SIMPLIFY = FALSE)
fit_s <- mapply(function(k, th) criterion(th, k), keeps, stopped, SIMPLIFY = FALSE)
fit_b <- mapply(function(k, th) criterion(th, k), keeps, best, SIMPLIFY = FALSE)
results <- lapply(cases, function(case) {
  all <- sapply(seq_along(keeps), function(j) analyse(keeps[[j]], fit_b[[j]], case[[1]], case[[2]]))
  jack <- all[, -1]
  data.frame(est = all[, 1], se = sqrt((n - 1) / n * rowSums((jack - rowMeans(jack))^2)))
})
lower <- function(fits) t(sapply(fits, function(f) f$V[lower.tri(f$V, diag = TRUE)]))
write_json(list(
  note = "covariances: lower triangle by columns, a row a fit; results by visit: difference, TAU, BtheB",
  largest_gradient = max(sapply(fit_b, function(f) max(abs(f$g)))),
  stopped = lower(fit_s), optimum = lower(fit_b),
  deviance_stopped = 2 * sapply(fit_s, `[[`, "f"), deviance_optimum = 2 * sapply(fit_b, `[[`, "f"),
  results = results), "reference_based.reference.json", digits = I(12), auto_unbox = TRUE, dataframe = "rows")
writeLines(capture.output(sessionInfo()), "reference_based.sessionInfo.txt")
