{#- on-run-start: the tables that Python jobs write and dbt only reads. They are made once and never
    replaced, so embeddings and results outlive every rebuild of the marts (--full-refresh too).
    embeddings.<encoder> is made by the job that fills it: its dimension is known only there. -#}
{% macro create_result_tables() %}
    {%- if execute -%}
        {%- set statements = ['create schema if not exists embeddings', 'create schema if not exists results'] -%}
        {%- for table, definition in result_tables().items() -%}
            {%- do statements.append('create table if not exists ' ~ table ~ ' (' ~ definition.columns ~ ')') -%}
            {%- for column in definition.get('added', []) -%}
                {%- do statements.append('alter table ' ~ table ~ ' add column if not exists ' ~ column) -%}
            {%- endfor -%}
            {%- do statements.append('comment on table ' ~ table ~ ' is ' ~ text_literal(definition.holds)) -%}
        {%- endfor -%}
        {#- charthouse.embed.store replaces it, with one more arm a table, when it makes the table; here only
            where it is absent, or of an older clone and without the vectors -#}
        {%- if not run_query(
            "select 1 from duckdb_columns() where database_name = current_database()"
            ~ " and schema_name = 'embeddings' and table_name = 'encoded' and column_name = 'vector'"
        ).rows -%}
            {%- do statements.append('create or replace view embeddings.encoded as ' ~ encoded_arms()) -%}
        {%- endif -%}
        {%- do in_one_transaction(statements) -%}
    {%- endif -%}
{% endmacro %}


{% macro in_one_transaction(statements) %}
    {%- do run_query('begin') -%}
    {%- for statement in statements -%}{%- do run_query(statement) -%}{%- endfor -%}
    {%- do run_query('commit') -%}
{% endmacro %}


{#- Every table of embeddings in one, as charthouse.embed.store has it. vector_hash is computed only where it
    is queried. -#}
{% macro encoded_arms() %}
    {%- set arms = [] -%}
    {%- for table in run_query(
        "select table_name, bool_or(column_name = 'task') as has_task from duckdb_columns()"
        ~ " where database_name = current_database() and schema_name = 'embeddings'"
        ~ " group by table_name having bool_or(column_name = 'embedding') order by table_name"
    ).rows -%}
        {%- do arms.append(
            'select ' ~ text_literal(table['table_name']) ~ ' as encoder, '
            ~ ('task' if table['has_task'] else 'null::varchar') ~ ' as task, stay_id, input_hash, reads, run_id,'
            ~ ' embedding::float[] as vector, hash(embedding) as vector_hash from embeddings."' ~ table['table_name'] ~ '"'
        ) -%}
    {%- endfor -%}
    {{ return(arms | join(' union all ') or (
        'select null::varchar as encoder, null::varchar as task, null::integer as stay_id, null::varchar as input_hash,'
        ~ ' null::varchar[] as reads, null::varchar as run_id, null::float[] as vector, null::ubigint as vector_hash where false'
    )) }}
{% endmacro %}


{#- `added`: columns that tables of an older clone may lack. -#}
{% macro result_tables() %}
    {#- Which scores a figure is about: the run of `predict` that made them, and the stays they are of. -#}
    {%- set scored = 'run_id varchar not null, task varchar not null, arm varchar not null, fusion varchar not null, split varchar not null, population varchar not null' -%}
    {#- Which answers a figure is about: those of a learner under the settings of the fingerprint. -#}
    {%- set answered = 'learner varchar not null, fingerprint varchar not null, cohort_hash varchar not null, task varchar not null' -%}
    {%- set interval = 'value double, ci_low double, ci_high double' -%}
    {{ return({
        'results.runs': {
            'holds': 'One row per run of a job: what it was asked, on which cohort, with which code, weights, seed and packages. reads: kind, name and hash, as marts.content_hashes had them, of all that it read. finished_at is null while it runs, and for ever if it failed or was killed.',
            'columns': 'run_id varchar not null, kind varchar not null, name varchar not null, task varchar, cohort_hash varchar not null, reads varchar[] not null, protocol varchar not null, is_synthetic boolean not null, code_version varchar not null, seed bigint not null, settings json not null, revision varchar, fingerprint varchar, packages json not null, device varchar not null, started_at timestamp not null, finished_at timestamp, counts json',
        },
        'results.run_inputs': {
            'holds': 'Which embeddings a run of predict read: one row per encoder and run that made them. content_hash is of all vectors of the encoder that were read, whichever runs made them: md5 of their stay_id:input_hash, joined by commas in order of stay_id. vectors_hash is of their bytes likewise: md5 of stay_id:md5(float32, little-endian); null of an older clone.',
            'columns': 'run_id varchar not null, encoder varchar not null, encoder_task varchar, input_run_id varchar not null, stays bigint not null, content_hash varchar not null, vectors_hash varchar',
            'added': ['vectors_hash varchar'],
        },
        'results.sends': {
            'holds': 'One row per request that left for a server, written before it left: host, why it was allowed, number of texts or images, bytes. Never what was in them.',
            'columns': 'run_id varchar not null, sent_at timestamp not null, host varchar not null, allowed_because varchar not null, items bigint not null, bytes bigint not null',
        },
        'results.predictions': {
            'holds': 'One row per run of predict and stay: the probability that the arm gives it. out_of_fold: the stay is one that the model was fitted on, and its score is of a model that was not fitted on its patient. By late that model learned from logits of first models that were, and by gated the fold of the patient chose when it stopped: such scores are slightly too good.',
            'columns': 'run_id varchar not null, task varchar not null, arm varchar not null, fusion varchar not null, stay_id integer not null, split varchar not null, y_true integer not null, y_score double not null, out_of_fold boolean not null',
        },
        'results.fits': {
            'holds': 'One row per model that a run of predict fitted: the choice of the grid search, whether it converged (reason says why not), and the stays it was fitted on. component is model, or, of a late fusion, the encoder whose vectors alone it reads.',
            'columns': 'run_id varchar not null, component varchar not null, penalty varchar, c double, cv_auroc double, converged boolean not null, iterations bigint not null, residual double, reason varchar, intercept double, features bigint not null, candidates json not null, fitted_on integer[] not null',
        },
        'results.coefficients': {
            'holds': 'One row per feature of a logistic regression: its coefficient per standard deviation, and the mean and standard deviation of the stays it was fitted on.',
            'columns': 'run_id varchar not null, component varchar not null, position integer not null, modality varchar not null, encoder varchar not null, feature varchar not null, coefficient double not null, mean double not null, sd double not null',
        },
        'results.metrics': {
            'holds': 'One row per run of predict, split, population (all stays; complete: with vitals, image and text; mimic_cxr_years: whose era lies in the years of MIMIC-CXR) and metric, with its 95 % interval over resampled patients.',
            'columns': scored ~ ', metric varchar not null, ' ~ interval ~ ', n bigint not null, n_positive bigint not null, threshold double, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null',
        },
        'results.comparisons': {
            'holds': 'One row per question, pair of arms and metric: arm minus other_arm on the same stays and resamples. AUROC is the primary metric (is_primary): its p_adjusted is corrected (Holm) for the n_asked of its task, question, fusion, split and population; those without a p-value are counted in n_asked, but not corrected for. All other metrics are exploratory and have no p_adjusted; those whose test was not shown to keep its level have a difference alone, and the reason. n_resamples is that of evaluate, or, of arms as a whole, 40 for each of n_asked if that is more. attribute is null, or that of a fairness measure.',
            'columns': scored ~ ', question varchar not null, other_run_id varchar not null, other_arm varchar not null, other_fusion varchar not null, attribute varchar, metric varchar not null, difference double, ci_low double, ci_high double, p_value double, p_adjusted double, n_asked bigint not null, n bigint not null, n_positive bigint not null, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null, n_resamples bigint, is_primary boolean',
            'added': ['n_resamples bigint', 'is_primary boolean'],
        },
        'results.subgroup_metrics': {
            'holds': 'One row per run of predict, subgroup and metric, with its 95 % interval; null with a reason where the group is too small or of one class.',
            'columns': scored ~ ', attribute varchar not null, subgroup varchar not null, metric varchar not null, ' ~ interval ~ ', n bigint not null, n_positive bigint not null, threshold double, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null',
        },
        'results.fairness': {
            'holds': 'One row per run of predict, attribute and measure over its groups: ratios, worst group and gap, with 95 % intervals.',
            'columns': scored ~ ', attribute varchar not null, metric varchar not null, ' ~ interval ~ ', n_groups bigint not null, worst_group varchar, left_out varchar[] not null, threshold double, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null',
        },
        'results.contributions': {
            'holds': 'One row per run of predict, method and modality: the share of the modality in what moves the scores of a logistic regression, with its 95 % interval. Method net: contributions, coefficient x (value - mean of the stays fitted on), are summed within the modality with their signs. Method absolute: absolute contributions of single features are summed, which grows with the width of a block. Shares of a method sum to 1.',
            'columns': scored ~ ', method varchar not null, modality varchar not null, mean_absolute double not null, share double not null, ci_low double, ci_high double, n bigint not null, evaluation_run_id varchar not null, reason varchar',
            'added': ['reason varchar'],
        },
        'results.curves': {
            'holds': 'One row per run of predict, curve (roc, precision_recall, calibration) and point, with its pointwise 95 % band.',
            'columns': scored ~ ', curve varchar not null, x double not null, y double, ci_low double, ci_high double, n bigint not null, evaluation_run_id varchar not null, reason varchar',
            'added': ['reason varchar'],
        },
        'results.audit_findings': {
            'holds': 'One row per run of audit and check that it computed in Python (reports.audit has the others, and these of the last run): what was looked at, how much of it failed, in which stays (all counted, the first 1,000 named), and what is wrong.',
            'columns': 'run_id varchar not null, check_name varchar not null, checked bigint not null, failed bigint not null, stays bigint not null, stay_ids integer[], detail varchar',
        },
        'results.answers': {
            'holds': 'One row per question put to a multimodal learner: learner, settings (fingerprint, that of its run), task, condition, stay. What was asked is known by its hashes, never repeated here. An error is no answer: it is asked again, and attempt counts. parsed is yes, no or none, by the parser of that version. p_yes is P(yes) / (P(yes) + P(no)) of the first token. reads is null where the question has changed since.',
            'columns': 'run_id varchar not null, learner varchar not null, fingerprint varchar not null, reads varchar[], task varchar not null, condition varchar not null, stay_id integer not null, question_hash varchar not null, model varchar not null, resolved_model varchar, revision varchar, dtype varchar, endpoint varchar not null, prompt varchar not null, prompt_version varchar not null, prompt_hash varchar not null, dicom_id varchar, image_hash varchar, image_note varchar, dropped integer not null, answer varchar, parsed varchar, parser_version integer, p_yes double, yes_no_mass double, prompt_tokens integer, answer_tokens integer, seconds double, cost_usd double, status varchar not null, error varchar, attempt integer not null, asked_at timestamp not null',
        },
        'results.learner_metrics': {
            'holds': 'One row per learner, condition, counting and metric, of all test stays or of a subgroup, with its 95 % interval over resampled patients. counting says which answers count: asked, answered (refusals left out), as_wrong (each refusal a wrong decision), p_yes. n_errors are questions without an answer so far, in none of them. answers_hash is md5 of all answers under the condition: their stay_id:question_hash:parsed:p_yes, joined by commas in order of stay_id.',
            'columns': answered ~ ', condition varchar not null, attribute varchar, subgroup varchar, counting varchar not null, metric varchar not null, ' ~ interval ~ ', n bigint not null, n_positive bigint not null, n_undefined bigint not null, n_errors bigint not null, reason varchar, evaluation_run_id varchar not null, answers_hash varchar',
            'added': ['answers_hash varchar'],
        },
        'results.learner_fairness': {
            'holds': 'One row per learner, attribute, counting and measure over its groups: ratios, worst group and gap, with 95 % intervals. as_wrong has no demographic parity: which decision is wrong depends on the outcome.',
            'columns': answered ~ ', condition varchar not null, attribute varchar not null, counting varchar not null, metric varchar not null, ' ~ interval ~ ', n_groups bigint not null, worst_group varchar, left_out varchar[] not null, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null',
        },
        'results.learner_comparisons': {
            'holds': 'One row per question, learner, what it is compared with (an arm; itself under another condition; another learner) and metric: learner minus the other on the same stays and resamples. AUROC is the primary metric (is_primary): its p_adjusted is corrected (Holm) for the n_asked of its task and question; those without a p-value are counted in n_asked, but not corrected for. All other metrics are exploratory and have no p_adjusted. Of an arm, metrics at the alert rate are at that of the learner: its share of yes. n_resamples is that of evaluate, or 40 for each pair of the question if that is more. changed and p_yes_moved are means of what differs, without p-values.',
            'columns': answered ~ ', question varchar not null, condition varchar not null, other_learner varchar, other_fingerprint varchar, other_condition varchar, other_run_id varchar, other_arm varchar, other_fusion varchar, counting varchar not null, metric varchar not null, difference double, ci_low double, ci_high double, p_value double, p_adjusted double, n_asked bigint not null, n bigint not null, n_positive bigint not null, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null, n_resamples bigint, is_primary boolean',
            'added': ['n_resamples bigint', 'is_primary boolean'],
        },
        'results.learner_contributions': {
            'holds': 'One row per learner, modality and metric: what a modality adds to p_yes by exact Shapley values over all 16 coalitions, its mean_absolute, its mean, and its share of all absolute values, with 95 % intervals. Shares sum to 1.',
            'columns': answered ~ ', modality varchar not null, metric varchar not null, ' ~ interval ~ ', n bigint not null, n_positive bigint not null, n_undefined bigint not null, reason varchar, evaluation_run_id varchar not null',
        },
        'embeddings.skipped': {
            'holds': 'One row per stay, or per image or report of a stay (item), that an encoder could not encode, with the reason. reads (as in results.runs) is null where inputs or settings have changed since.',
            'columns': 'encoder varchar not null, task varchar, stay_id integer not null, item varchar, reason varchar not null, input_hash varchar not null, reads varchar[], run_id varchar not null',
        },
        'embeddings.fitted': {
            'holds': 'One row per fit: what an encoder learned, as a NumPy .npz file, and the stays it learned from. A run that was killed goes on with the very same numbers.',
            'columns': 'encoder varchar not null, task varchar, fit_hash varchar not null, learned blob not null, run_id varchar not null',
            'added': ['fitted_on integer[]'],
        },
    }) }}
{% endmacro %}
