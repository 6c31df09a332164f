select id, upper(name) as name, line, passengers from {{ ref('stations') }}
