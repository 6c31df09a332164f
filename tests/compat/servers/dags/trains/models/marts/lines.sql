select line, sum(passengers) as passengers from {{ ref('stg_stations') }} group by line
