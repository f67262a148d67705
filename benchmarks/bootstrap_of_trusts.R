# Time of R's boot with systemfit in every draw: Rscript bootstrap_of_trusts.R trial.csv draws
# Stage one by boot (Trusts as units), stage two and the regressions in the statistic; nothing is
# imputed and nothing shrunken. Prints seconds.
for (p in c("boot", "systemfit"))
  if (!suppressWarnings(requireNamespace(p, quietly = TRUE))) quit(status = 77)
suppressMessages({library(boot); library(systemfit)})
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(arguments[1]); draws <- as.integer(arguments[2])
people <- split(seq_len(nrow(d)), d$team)
teams <- lapply(split(d$team, d$trust), function(t) unique(as.character(t)))
one <- function(trusts, drawn) {
  rows <- lapply(drawn, function(t) unlist(lapply(people[teams[[t]]], function(r) r[sample.int(length(r), replace = TRUE)])))
  s <- d[unlist(rows), ]; s$copy <- factor(rep(seq_along(rows), lengths(rows)))
  fit <- systemfit(list(cost = cost ~ arm + copy + baseline_cost + baseline_utility + age + female,
    qaly = qaly ~ arm + copy + baseline_cost + baseline_utility + age + female), method = "SUR", data = s)
  coef(fit)[c("cost_arm", "qaly_arm")]
}
set.seed(1); invisible(one(seq_along(teams), seq_along(teams)))
started <- proc.time()[["elapsed"]]
found <- boot(seq_along(teams), one, R = draws)
cat(proc.time()[["elapsed"]] - started, "\n")
