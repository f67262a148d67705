# Two public datasets with binary and nominal variables, imputed by mice: MASS::birthwt and
# MASS::survey. birthwt is complete: holes are made at random given what stays observed, by the
# seed below; in survey further holes are made in Clap. The data with their holes are written beside
# the reference, so that another implementation starts from the same cells.
#
#   Rscript categories_mice.R      (in this folder; some minutes)
suppressMessages({library(mice); library(MASS); library(jsonlite)})
m <- 400
set.seed(20261123)

b <- with(birthwt, data.frame(
  bwt = bwt / 100, age, lwt, ht, ui, ptl = as.numeric(ptl > 0),
  race = factor(race, labels = c("white", "black", "other")), smoke = factor(smoke)))
hole <- function(p) runif(length(p)) < p
b$race[hole(plogis(-1.7 + 0.05 * (b$age - 23)))] <- NA
b$smoke[hole(plogis(-1.5 - 0.05 * (b$bwt - 29)))] <- NA
b$lwt[hole(rep(0.15, nrow(b)))] <- NA

s <- survey[complete.cases(survey[, c("Sex", "Wr.Hnd", "Age")]), c("Sex", "Wr.Hnd", "Pulse", "Clap", "Height", "M.I", "Age")]
s <- s[!is.na(s$Clap), ]
s$Clap[hole(plogis(-1.4 + 0.3 * (s$Wr.Hnd - 18.7)))] <- NA
s$M.I <- factor(s$M.I); s$Clap <- factor(s$Clap); s$Sex <- factor(s$Sex)

write.csv(b, "birthwt.csv", row.names = FALSE, na = "", quote = FALSE)
write.csv(s, "survey.csv", row.names = FALSE, na = "", quote = FALSE)

fit <- function(d, methods, formula) {
  im <- mice(d, m = m, maxit = 10, method = methods, printFlag = FALSE, seed = 11)
  stopifnot(is.null(im$loggedEvents))
  p <- pool(with(im, lm(formula(formula))))
  q <- p$pooled
  data.frame(term = as.character(q$term), estimate = q$estimate, std.error = sqrt(q$t), b = q$b, m = m)
}
method <- function(d) sapply(d, function(x) if (!anyNA(x)) "" else if (!is.factor(x)) "norm" else if (nlevels(x) == 2) "logreg" else "polyreg")
out <- list(
  birthwt = fit(b, method(b), "bwt ~ age + lwt + race + smoke"),
  survey = fit(s, method(s), "Height ~ Sex + Wr.Hnd + M.I + Clap"))
write_json(c(list(note = paste("mice", packageVersion("mice"), "m = 400, maxit = 10, all columns in every conditional model; norm for numbers, logreg for two categories, polyreg for more")), out[c("birthwt", "survey")]),
           "categories_mice.reference.json", digits = I(10), auto_unbox = TRUE, pretty = TRUE, dataframe = "rows")
writeLines(capture.output(sessionInfo()), "categories_mice.sessionInfo.txt")
print(out)
