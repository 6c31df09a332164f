SELECT name, passengers FROM stations WHERE passengers > {{ params.at_least }} ORDER BY passengers DESC
