# Joint tests of several parameters over imputations (D1), by mice (through mitml), on nhanes2.
#
#   Rscript pooled_tests.R      (in this folder)
suppressMessages({library(mice); library(mitml); library(jsonlite)})
im <- mice(nhanes2, m = 12, maxit = 5, printFlag = FALSE, seed = 7)
case <- function(formula, df) {
  fits <- with(im, lm(formula(formula)))
  keep <- -1
  est <- do.call(cbind, lapply(fits$analyses, function(f) coef(f)[keep]))
  cov <- lapply(fits$analyses, function(f) unname(vcov(f)[keep, keep, drop = FALSE]))
  d1 <- mitml:::.D1(Qhat = est, Uhat = simplify2array(cov), df.com = df)
  out <- list(formula = formula, dfcom = if (is.null(df)) -1 else df,
              estimates = unname(t(est)), covariances = cov,
              statistic = drop(d1$F), k = d1$k, df = d1$v, riv = d1$r,
              p = pf(drop(d1$F), d1$k, d1$v, lower.tail = FALSE))
  out
}
full <- with(im, lm(bmi ~ age + hyp + chl)); null <- with(im, lm(bmi ~ age))
d <- D1(full, null, dfcom = 20); r <- d$result
fits <- full$analyses; keep <- 4:5
out <- list(
  cases = list(case("bmi ~ age + hyp + chl", NULL), case("bmi ~ age + hyp + chl", 20),
               case("chl ~ age + bmi", 9.5), case("chl ~ age + hyp + bmi", NULL)),
  d1 = list(estimates = unname(t(sapply(fits, function(f) coef(f)[keep]))),
            covariances = lapply(fits, function(f) unname(vcov(f)[keep, keep])),
            dfcom = 20, statistic = unname(r[1]), k = unname(r[2]), df = unname(r[3]), p = unname(r[4]), riv = unname(r[5])))
write_json(out, "pooled_tests.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
writeLines(capture.output(sessionInfo()), "pooled_tests.sessionInfo.txt")
print(r); str(out$cases[[2]][c("statistic","k","df","riv","p")])
