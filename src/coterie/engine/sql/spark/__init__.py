"""Apache Spark as a second dialect of SQL. The engine needs the extra ``spark`` and Java; forms and patterns do not."""
