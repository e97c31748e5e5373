"""Every interval and p-value of a warehouse that its numbers of patients do not carry, by SQL.

Nothing of the code is used but the number: patients are counted anew, from the marts.
"""

from bench import Bench
from charthouse.stats.bootstrap import MIN_PATIENTS

NO_OUTCOME = ("learner_contributions",)  # no outcome is in them, so all patients count

PATIENTS = """
with stays as (
    select labels.task, cohort.split, cohort.subject_id, labels.label,
        cohort.has_vitals and cohort.has_image and cohort.has_text as is_complete,
        cohort.in_mimic_cxr_years,
        {attributes}
    from marts.labels as labels inner join marts.cohort as cohort using (stay_id)
    where labels.label is not null
),
populations as (
    select task, split, 'all' as population, subject_id, label from stays
    union all
    select task, split, 'complete', subject_id, label from stays where is_complete
    union all
    select task, split, 'mimic_cxr_years', subject_id, label from stays where in_mimic_cxr_years
),
by_population as (
    select task, split, population, count(distinct subject_id) as patients,
        least(count(distinct subject_id) filter (where label = 1),
              count(distinct subject_id) filter (where label = 0)) as rarer
    from populations group by all
),
by_group as (
    select task, attribute, subgroup,
        least(count(distinct subject_id) filter (where label = 1),
              count(distinct subject_id) filter (where label = 0)) as rarer
    from (unpivot stays on {names} into name attribute value subgroup)
    where split = 'test' group by all
)
"""


def intervals_of_too_few(bench: Bench) -> list[str]:
    """Table, and how many rows of it claim what they should not; none of them: nothing."""
    claims = "ci_low is not null or ci_high is not null"
    found: dict[str, str] = {}
    for schema, table, columns in bench.sql(
        "select schema_name, table_name, list(column_name) from duckdb_columns()"
        " where schema_name in ('results', 'reports') group by all order by all"
    ):
        also = " or p_value is not null or p_adjusted is not null" if "p_value" in columns else ""
        few = f"least(n_positive, n - n_positive) < {MIN_PATIENTS}"  # stays: no fewer than patients
        if {"ci_low", "n_positive"} <= set(columns) and not table.endswith(NO_OUTCOME):
            found[f"{schema}.{table}"] = f"from {schema}.{table} where {few} and ({claims}{also})"
        lows = [column for column in columns if column.endswith("_low") and column != "ci_low"]
        for low in (low for low in lows if not low.startswith("published_")):
            figure = low.removesuffix("_low")
            printed = f" or {figure} like '%[%'" if figure in columns else ""
            found[f"{schema}.{table} {figure}"] = (
                f"from {schema}.{table} where {few} and ({low} is not null{printed})"
            )
        if {"ci_low", "reason"} <= set(columns):
            found[f"{schema}.{table} without a reason"] = (
                f"from {schema}.{table} where ci_low is null and reason is null"
            )
            found[f"{schema}.{table} of no width"] = f"from {schema}.{table} where ci_low = ci_high"
    attributes = [name for (name,) in bench.sql(
        "select distinct attribute from results.subgroup_metrics where attribute != 'subject_id'"
        " order by 1"
    )]  # fmt: skip
    patients = PATIENTS.format(
        attributes=", ".join(
            f"coalesce(cohort.{name}::varchar, '(missing)') as {name}" for name in attributes
        ),
        names=", ".join(attributes),
    )
    few = f"rarer < {MIN_PATIENTS}"
    for table in ("metrics", "comparisons", "curves"):
        also = " or p_value is not null" if table == "comparisons" else ""
        found[f"patients of results.{table}"] = (
            f"from results.{table} inner join by_population using (task, split, population)"
            f" where {few} and ({claims}{also})"
        )
    found["patients of results.contributions"] = (
        "from results.contributions inner join by_population using (task, split, population)"
        f" where patients < {MIN_PATIENTS} and ({claims})"
    )
    found["patients of results.subgroup_metrics"] = (
        "from results.subgroup_metrics inner join by_group using (task, attribute, subgroup)"
        f" where {few} and ({claims})"
    )
    found["patients of results.fairness"] = (
        "from results.fairness inner join by_group using (task, attribute)"
        f" where {few} and not list_contains(left_out, subgroup) and ({claims})"
    )
    counts = {
        name: bench.one(f"{patients} select count(*) {which}") for name, which in found.items()
    }
    return [f"{name}: {count}" for name, count in counts.items() if count]
