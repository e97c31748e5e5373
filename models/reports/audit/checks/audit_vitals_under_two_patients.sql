-- Do two patients have the same vital signs? The same sequence of values of a variable, at the same times since its
-- first: 10 measurements or more with 5 different values, which two patients do not share by chance.
-- Grain: one row per stay and variable with such a sequence.
{%- set least_measurements, least_values = 10, 5 %}
with cohort as (
    select * from {{ ref('cohort') }}
),

timed as (
    select
        stay_id,
        variable,
        value,
        epoch_us(observed_at) - epoch_us(min(observed_at) over (partition by stay_id, variable)) as since_first
    from {{ ref('vitals_events') }}
),

-- A sum of hashes does not depend on the order of the rows.
sequences as (
    select
        stay_id,
        variable,
        count(*) as measurements,
        sum(cast(hash(since_first, value) as hugeint)) as sequence
    from timed
    group by stay_id, variable
    having count(*) >= {{ least_measurements }} and count(distinct value) >= {{ least_values }}
),

final as (
    select
        sequences.stay_id,
        if(
            min(cohort.subject_id) over same_sequence = max(cohort.subject_id) over same_sequence,
            null,
            sequences.variable
        ) as problem,
        false as is_chosen
    from sequences
    inner join cohort on sequences.stay_id = cohort.stay_id
    window same_sequence as (partition by sequences.variable, sequences.measurements, sequences.sequence)
)

select * from final
