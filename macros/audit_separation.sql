{#- What the checks of the audit share that ask whether one feature alone separates the classes of a task on
    the train split: whom they look at, AUROCs, and whether one is more than chance. -#}

{#- Rows of task, stay_id and label: of each patient of the train split one stay, one with the outcome where
    there is any, so that rows are independent. Of each class at most 500 patients, by a hash: an AUROC of 0.9
    is then known to +-0.02 (Hanley and McNeil 1982, Radiology), and there is less to sort. -#}
{% macro train_patients() -%}
    select
        task,
        stay_id,
        label
    from (
        select
            labels.task,
            labels.stay_id,
            labels.label,
            md5(cast(labels.stay_id as varchar)) as place
        from {{ ref('labels') }} as labels
        inner join {{ ref('cohort') }} as cohort on labels.stay_id = cohort.stay_id
        where cohort.split = 'train' and labels.label is not null
        qualify row_number() over (partition by labels.task, cohort.subject_id order by labels.label desc, place) = 1
    ) as patients
    qualify row_number() over (partition by task, label order by place) <= 500
{%- endmacro %}


{#- Of numbers, rows of task, label, source, item and value: the AUROC of each source and item by ranks; ties
    count half (Bamber 1975, Journal of Mathematical Psychology). -#}
{% macro auroc_of_numbers(numbers) -%}
    select
        task,
        source,
        item,
        sum(label) as positives,
        count(*) - positives as negatives,
        (sum(midrank) filter (where label = 1) - positives * (positives + 1) / 2) / (positives * negatives) as auroc
    from (
        select
            *,
            (rank() over by_value + round(cume_dist() over by_value * count(*) over of_item)) / 2 as midrank
        from {{ numbers }}
        window
            of_item as (partition by task, source, item),
            by_value as (partition by task, source, item order by value)
    ) as ranked
    group by task, source, item
{%- endmacro %}


{#- Of items, rows of task, label, source and item of the stays that have it, and of all who could, rows of task,
    label and source: the AUROC of having it. -#}
{% macro auroc_of_having(items, all_stays) -%}
    select
        having_it.task,
        having_it.source,
        having_it.item,
        sizes.positives,
        sizes.negatives,
        0.5 + (having_it.positives / sizes.positives - having_it.negatives / sizes.negatives) / 2 as auroc
    from (
        select
            task,
            source,
            item,
            sum(label) as positives,
            count(*) - sum(label) as negatives
        from {{ items }}
        group by task, source, item
    ) as having_it
    inner join (
        select
            task,
            source,
            sum(label) as positives,
            count(*) - sum(label) as negatives
        from {{ all_stays }}
        group by task, source
    ) as sizes on having_it.task = sizes.task and having_it.source = sizes.source
{%- endmacro %}


{#- Of AUROCs, rows of task, name, positives, negatives and auroc: rows of a check. A problem is an AUROC over
    0.9, on either side, that chance gives less than once in 100 audits, however many features are looked at
    (Bonferroni).

    Chance: if a feature has nothing to do with the outcome, every order of the patients is equally likely, and
    the moment-generating function of the number U of pairs of one patient of each class that it puts right
    (AUROC = U / pairs; Mann and Whitney 1947, Annals of Mathematical Statistics) less its mean is the product
    over i of sinh((negatives + i) t / 2) i / (sinh(i t / 2) (negatives + i)). Chernoff's bound with the best
    of a grid of t holds at any size; with ties too, which only average over orders (Jensen). -#}
{% macro that_separate(aurocs) -%}
    with compared as (
        select
            *,
            greatest(auroc, 1 - auroc) as separation,
            (separation - 0.5) * positives * negatives as excess
        from {{ aurocs }}
        where least(positives, negatives) >= 10  -- charthouse.statistics.bootstrap.MIN_PATIENTS
    ),

    suspects as (
        select * from compared
        where separation > 0.9
    ),

    logs as (
        select
            sizes.positives,
            sizes.negatives,
            grid.t,
            sum(
                {{ log_sinh('(sizes.negatives + terms.i) * grid.t / 2') }} - ln(sizes.negatives + terms.i)
                - {{ log_sinh('terms.i * grid.t / 2') }} + ln(terms.i)
            ) as log_mgf
        from (select distinct positives, negatives from suspects) as sizes
        cross join (select 0.001 * pow(1.25, range) as t from range(45)) as grid
        inner join (select range as i from range(1, 501)) as terms on sizes.positives >= terms.i
        group by sizes.positives, sizes.negatives, grid.t
    ),

    chances as (
        select
            suspects.task,
            suspects.name,
            2 * exp(min(logs.log_mgf - logs.t * suspects.excess)) as chance
        from suspects
        inner join logs on suspects.positives = logs.positives and suspects.negatives = logs.negatives
        group by suspects.task, suspects.name
    )

    select
        cast(null as integer) as stay_id,
        if(
            chances.chance * count(*) over () < 0.01,
            printf('%s: %s (AUROC %.2f)', compared.task, compared.name, compared.separation),
            null
        ) as problem,
        false as is_chosen
    from compared
    left join chances on compared.task = chances.task and compared.name = chances.name
{%- endmacro %}


{#- log(2 sinh(x)), for x > 0 -#}
{% macro log_sinh(x) -%}
({{ x }} + ln(1 - exp(-2 * ({{ x }}))))
{%- endmacro %}
