# Reference results for tests/analyses: Rscript analyses.R, in this folder.
suppressMessages({library(clubSandwich); library(jsonlite)})
d <- read.csv("../../models/data/clustered_trial.csv")
d$arm <- factor(d$arm, levels = c("control", "intervention"))
d$trust <- factor(d$trust)
d$index <- seq_len(nrow(d))
d$gain <- d$y1 - d$y0
d$third <- cut(d$age, c(-Inf, 40, 55, Inf), labels = c("a", "b", "c"))
d$high0 <- as.integer(d$y0 > 13); d$high1 <- as.integer(d$y1 > 14)
d$count0 <- pmax(0, round(d$y0)); d$count1 <- pmax(0, round(d$y1))
d$agez <- (d$age - mean(d$age)) / sd(d$age)

one <- function(fit, contrast, cluster) {
  r <- linear_contrast(fit, vcov = "CR2", cluster = cluster, contrasts = matrix(contrast, 1),
                       test = "Satterthwaite")
  list(estimate = r$Est, std_error = r$SE, df = r$df, conf_low = r$CI_L, conf_high = r$CI_U)
}
unit <- function(fit, name, sign = 1) sign * as.numeric(names(coef(fit)) == name)
out <- list()

# Change score, and ANCOVA less change score: both models side by side, everybody twice.
change <- lm(gain ~ arm + trust + age + female, d)
out$change <- one(change, unit(change, "armintervention"), d$team)
A <- model.matrix(y1 ~ arm + trust + y0 + age + female, d)
C <- model.matrix(gain ~ arm + trust + age + female, d)
colnames(A) <- paste0("a", seq_len(ncol(A))); colnames(C) <- paste0("c", seq_len(ncol(C)))
S <- data.frame(rbind(cbind(A, 0 * C), cbind(0 * A, C)), y = c(d$y1, d$gain), team = rep(d$team, 2))
stacked <- lm(as.formula(paste("y ~ 0 +", paste(c(colnames(A), colnames(C)), collapse = " + "))), S)
out$lord <- one(stacked, unit(stacked, "a2") - unit(stacked, "c2"), S$team)

# Difference in differences with gaps at either visit.
L <- rbind(data.frame(d, y = d$y0, visit = 0), data.frame(d, y = d$y1, visit = 1))
L$y[L$visit == 0 & L$index %% 17 == 0] <- NA
L$y[L$visit == 1 & L$index %% 6 == 0] <- NA
L <- L[!is.na(L$y), ]
did <- lm(y ~ (arm + trust + age + female) * visit, L)
out$did <- c(one(did, unit(did, "armintervention:visit"), L$team), list(n = length(unique(L$index))))

# Subgroups.
number <- lm(y1 ~ arm * agez + trust + y0 + female, d)
out$subgroup_number <- list(
  interaction = one(number, unit(number, "armintervention:agez"), d$team),
  below = one(number, unit(number, "armintervention") - unit(number, "armintervention:agez"), d$team),
  above = one(number, unit(number, "armintervention") + unit(number, "armintervention:agez"), d$team))
third <- lm(y1 ~ arm * third + trust + y0 + age + female, d)
V <- vcovCR(third, d$team, "CR2")
f <- Wald_test(third, constraints = constrain_zero(c("armintervention:thirdb", "armintervention:thirdc")),
               vcov = V, test = "HTZ")
out$subgroup_category <- list(
  b = one(third, unit(third, "armintervention:thirdb"), d$team),
  c = one(third, unit(third, "armintervention:thirdc"), d$team),
  within_c = one(third, unit(third, "armintervention") + unit(third, "armintervention:thirdc"), d$team),
  f = list(statistic = f$Fstat, df_num = f$df_num, df = f$df_denom, p_value = f$p_val),
  classical_f = anova(lm(y1 ~ arm + third + trust + y0 + age + female, d), third)[2, c("F", "Res.Df", "Pr(>F)")])

# Logistic and Poisson regression, with standardised means by the delta method.
glms <- function(formula, family) {
  # One step more than needed: glm keeps the weights of the step before its last.
  fit <- glm(formula, family, d, epsilon = 1e-16, maxit = 50)
  X0 <- X1 <- model.matrix(fit); X0[, "armintervention"] <- 0; X1[, "armintervention"] <- 1
  mu <- fit$family$linkinv; slope <- fit$family$mu.eta; b <- coef(fit)
  means <- sapply(list(X0, X1), function(X) mean(mu(X %*% b)))
  gradients <- lapply(list(X0, X1), function(X) colMeans(c(slope(X %*% b)) * X))
  V <- as.matrix(vcovCR(fit, d$team, "CR2"))
  g <- gradients[[2]] - gradients[[1]]
  difference <- one(fit, g, d$team)
  average <- colMeans(model.matrix(fit)); average["armintervention"] <- 1
  list(log_ratio = one(fit, unit(fit, "armintervention"), d$team), means = means,
       mean_errors = sapply(gradients, function(h) sqrt(h %*% V %*% h)),
       difference = diff(means), difference_error = difference$std_error, difference_df = difference$df,
       average_active = mu(sum(average * b)))
}
out$logistic <- glms(high1 ~ arm + trust + high0 + age + female, binomial)
out$poisson <- glms(count1 ~ arm + trust + count0 + age + female, poisson)

# Multiplicity, and detectable differences by the normal and the t distribution.
p <- c(0.04, 0.011, 0.3, 0.02, 0.011, 0.8)
out$multiplicity <- list(p = p, holm = p.adjust(p, "holm"), hochberg = p.adjust(p, "hochberg"),
                         `benjamini-hochberg` = p.adjust(p, "BH"))
out$session <- capture.output(sessionInfo())
write_json(out, "analyses.json", auto_unbox = TRUE, digits = 14, pretty = TRUE)
