-- How well each number, by its size, and each item, by its presence, separates the classes of a task, and whether
-- it is a fault: an AUROC over 0.9, in either direction, that each check finds by chance less than once in 100
-- audits, however many features it examines (Bonferroni).
--
-- Chance: if a feature is unrelated to the outcome, every order of the patients is equally likely. Let U be the
-- number of pairs (one patient of each class) that the feature ranks correctly (AUROC = U / pairs; Mann and Whitney
-- 1947, Annals of Mathematical Statistics). The moment-generating function of U minus its mean is the product over i
-- of sinh((negatives + i) t / 2) i / (sinh(i t / 2) (negatives + i)). Chernoff's bound with the best t of a grid
-- holds at any size, also with ties, which only average over orders (Jensen).
-- Grain: one row per check (columns, vectors or words), task, source, item and by_size, with 10 patients of each
-- class.
with of_values as (
    select
        about,
        task,
        source,
        item,
        value,
        sum(label) as value_positives,
        count(*) - value_positives as value_negatives
    from {{ ref('audit_numbers') }}
    group by about, task, source, item, value
),

-- Ties count half (Bamber 1975, Journal of Mathematical Psychology).
ranked as (
    select
        *,
        sum(value_negatives) over below - value_negatives / 2 as negatives_below
    from of_values
    window below as (partition by about, task, source, item order by value)
),

aurocs_of_numbers as (
    select
        about,
        task,
        source,
        item,
        sum(value_positives) as positives,
        sum(value_negatives) as negatives,
        sum(value_positives * negatives_below) / (positives * negatives) as auroc
    from ranked
    group by about, task, source, item
),

having_it as (
    select
        about,
        task,
        source,
        item,
        sum(label) as having_positives,
        count(*) - having_positives as having_negatives,
        max(having_positives) filter (where item is null) over of_source as positives,
        max(having_negatives) filter (where item is null) over of_source as negatives
    from {{ ref('audit_items') }}
    group by about, task, source, item
    window of_source as (partition by about, task, source)
),

aurocs as (
    select
        *,
        true as by_size
    from aurocs_of_numbers

    union all

    select
        about,
        task,
        source,
        item,
        positives,
        negatives,
        0.5 + (having_positives / positives - having_negatives / negatives) / 2 as auroc,
        false as by_size
    from having_it
    where item is not null
),

-- log(2 sinh(x)) is x + log(1 - exp(-2 x))
compared as (
    select
        *,
        greatest(auroc, 1 - auroc) as separation,
        case when separation > 0.9 then 2 * exp(list_min(list_transform(
            [0.001 * pow(1.25, step) for step in range(45)],
            lambda t: list_sum(list_transform(
                range(1, cast(positives as bigint) + 1),
                lambda i: negatives * t / 2
                + ln(1 - exp(-(negatives + i) * t)) - ln(negatives + i)
                - ln(1 - exp(-i * t)) + ln(i)
            )) - t * (separation - 0.5) * positives * negatives
        ))) end as chance
    from aurocs
    where least(positives, negatives) >= 10  -- charthouse.stats.bootstrap.MIN_PATIENTS
),

final as (
    select
        about,
        task,
        source,
        item,
        by_size,
        separation,
        coalesce(chance * count(*) over (partition by about) < 0.01, false) as is_fault
    from compared
)

select * from final
