# The primary analysis of drawn studies in R: mice, lm and clubSandwich. See characteristics.py.
suppressPackageStartupMessages({
  library(mice)
  library(clubSandwich)
})
given <- commandArgs(trailingOnly = TRUE)
drawn <- read.csv(given[1])
m <- as.integer(given[2])
drawn$team <- factor(drawn$team)
drawn$pair <- factor(drawn$pair)
draws <- split(drawn, drawn$draw)
used <- function() sum(proc.time()[c("user.self", "sys.self")])
started <- used()
for (own in draws) {
  data <- own[, c("y", "team", "x1", "x2", "x3")]
  imputed <- mice(data, m = m, maxit = 1, method = "norm", printFlag = FALSE, seed = 1)
  found <- sapply(seq_len(m), function(j) {
    completed <- complete(imputed, j)
    completed$arm <- own$arm
    completed$pair <- own$pair
    fit <- lm(y ~ arm + pair + x1 + x2 + x3, data = completed)
    test <- coef_test(fit, vcov = "CR2", cluster = completed$team, test = "Satterthwaite",
                      coefs = "arm")
    c(test$beta, test$SE)
  })
  stopifnot(all(is.finite(found)))
}
spent <- (used() - started) / length(draws)
cat(R.version.string, "- mice", as.character(packageVersion("mice")), "- clubSandwich",
    as.character(packageVersion("clubSandwich")), "\n")
cat(sprintf("- core time of a study: %.2f seconds\n", spent))
