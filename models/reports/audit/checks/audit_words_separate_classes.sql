-- Does the presence of one word, or one pair of consecutive words, in the radiology reports or profiles separate the
-- classes of a task on train by itself (AUROC over 0.9)?
-- Grain: one row per task, reports or profiles, and word or pair.
-- A word may be a name, so it is given by its md5 unless it is in seeds/outcome_words.csv.
with named as (
    select
        found.*,
        concat_ws(' ', found.source, coalesce(outcome_words.word, 'word with md5 ' || left(md5(found.item), 8) || '...')) as name
    from {{ ref('audit_separations') }} as found
    left join {{ ref('outcome_words') }} as outcome_words on found.item = outcome_words.word
    where found.about = 'words'
),

final as (
    select
        cast(null as integer) as stay_id,
        if(is_fault, printf('%s: %s (AUROC %.2f)', task, name, separation), null) as problem,
        false as is_chosen
    from named
)

select * from final
