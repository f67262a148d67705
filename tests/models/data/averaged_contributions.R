# Averaged contributions of clusters, by lm and clubSandwich: the reference of
# tests/models/test_models_averaged.py. SYNTHETIC data, imputed by averaged_contributions.py here.
#   Rscript averaged_contributions.R
suppressMessages({library(clubSandwich); library(jsonlite)})

pooled <- function(file) {
  data <- read.csv(file)
  data$pair <- factor(data$pair)
  m <- max(data$imputation)
  tables <- split(data, data$imputation)
  fits <- lapply(tables, function(d) lm(y ~ active + x + pair, data = d))
  estimate <- sapply(fits, function(f) coef(f)["active"])
  b <- rowMeans(sapply(fits, coef))
  teams <- sort(unique(data$team))
  psi <- own <- matrix(NA, m, length(teams))
  df <- numeric(m)
  for (j in seq_len(m)) {
    f <- fits[[j]]; d <- tables[[j]]
    V <- vcovCR(f, cluster = d$team, type = "CR2")
    df[j] <- coef_test(f, V, test = "Satterthwaite")["active", "df_Satt"]
    X <- model.matrix(f)
    row <- solve(crossprod(X))["active", ]
    for (g in seq_along(teams)) {
      inside <- d$team == teams[g]
      Xg <- X[inside, , drop = FALSE]
      H <- Xg %*% solve(crossprod(X)) %*% t(Xg)
      e <- eigen(diag(nrow(H)) - H, symmetric = TRUE)
      A <- e$vectors %*% diag(1 / sqrt(e$values)) %*% t(e$vectors)
      psi[j, g] <- row %*% t(Xg) %*% A %*% residuals(f)[inside]
      own[j, g] <- row %*% t(Xg) %*% (d$y[inside] - Xg %*% b)
    }
    stopifnot(abs(sum(psi[j, ]^2) / V["active", "active"] - 1) < 1e-10)
  }
  V <- sum(colMeans(psi)^2)
  B <- var(estimate)
  shared <- max(0, B - sum(apply(own, 2, var)))
  list(estimate = mean(estimate), V = V, B = B, T = V + (1 + 1 / m) * shared,
       df = 1 / mean(1 / df))
}

found <- list(outcome = pooled("averaged_contributions_outcome.csv"),
              all = pooled("averaged_contributions_all.csv"),
              session = paste(R.version.string, "clubSandwich", packageVersion("clubSandwich")))
write(toJSON(found, auto_unbox = TRUE, digits = NA, pretty = TRUE),
      "averaged_contributions.reference.json")
