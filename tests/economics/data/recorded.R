# What people used and what it cost, worked out from docs/economics.md without the code: recall
# periods, minutes of contacts, a list of medication, prices by financial year, deaths.
#
#   Rscript tests/economics/data/recorded.R > tests/economics/data/recorded.json
library(jsonlite)

here <- file.path("tests/economics/data/recorded")
read <- function(name) read.csv(file.path(here, name), na.strings = "", stringsAsFactors = FALSE)
people <- read("people.csv")
prices <- read("unit_costs.csv")
index <- read("price_index.csv")
list_of <- read("medication.csv")
months <- c(start = 0, half = 6, end = 18)
gaps <- c(start = 6, half = 6, end = 12) # the first is as long as the one behind it

at <- function(year) index$index[match(year, index$price_year)]
price <- setNames(prices$unit_cost * at("2019/20") / at(prices$price_year), prices$service)
recall <- setNames(prices$recall_months, prices$service)

parts <- list()
for (visit in names(months)) {
  use <- function(service) people[[paste0(service, "_", visit)]]
  hours <- ifelse(use("psych") == 0, 0, use("psych") * use("talk") / 60)
  stretched <- function(service) gaps[[visit]] / recall[[service]]
  drugs <- sapply(seq_len(nrow(people)), function(i) {
    mine <- list_of[list_of$participant == people$participant[i], ]
    if (any(is.na(mine$visit))) return(NA)
    mine <- mine[mine$visit == visit, ]
    if (nrow(mine) == 0) return(if (people[[paste0("interviewed_", visit)]][i] == 1) 0 else NA)
    sum(mine$quantity * mine$price)
  })
  cost <- data.frame(
    gp = use("gp") * price[["gp"]] * stretched("gp"),
    nurse = use("nurse") * price[["nurse"]] * 12.5 / 60,
    psych = hours * price[["psych"]] * stretched("psych"),
    day = use("day") * price[["day"]],
    drugs = drugs * price[["drugs"]]
  )
  alive <- use("alive")
  total <- ifelse(alive == 0, 0, rowSums(cost) * alive)
  parts[[visit]] <- list(
    hours = hours, drugs = drugs, total = total,
    mean_of_each = as.list(colMeans(cost, na.rm = TRUE))
  )
}
cat(toJSON(
  list(price = as.list(price), visits = parts, session = capture.output(sessionInfo())),
  digits = NA, auto_unbox = TRUE, na = "null", pretty = TRUE
))
