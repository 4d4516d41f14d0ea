-- What administrators run: statistics, checks, checksums, regions, jobs, information tables.
CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(30), KEY ia (a), KEY ib (b));
INSERT INTO t WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n, n % 50, CONCAT('b', n % 70) FROM s;
ANALYZE TABLE t;
ANALYZE TABLE t INDEX ia;
ANALYZE TABLE t COLUMNS a, b WITH 16 BUCKETS, 8 TOPN;
SHOW STATS_META WHERE db_name = DATABASE() AND row_count < 0;
SELECT is_index, COUNT(*) FROM mysql.stats_histograms h JOIN information_schema.tables i ON i.tidb_table_id = h.table_id WHERE i.table_schema = DATABASE() AND i.table_name = 't' GROUP BY is_index ORDER BY 1;
EXPLAIN FORMAT = 'brief' SELECT * FROM t WHERE a = 3;
EXPLAIN FORMAT = 'brief' SELECT * FROM t WHERE b > 'b5' AND a < 2;
ADMIN CHECK TABLE t;
ADMIN CHECK INDEX t ia;
ADMIN CHECK INDEX t ia (1, 100);
ADMIN CHECKSUM TABLE t;
ADMIN RECOVER INDEX t ia;
ADMIN CLEANUP INDEX t ib;
SPLIT TABLE t BY (225), (450), (675);
SPLIT TABLE t INDEX ia BY (10), (20);
--@ regions
SHOW TABLE t REGIONS;
--@ regions
SHOW TABLE t INDEX ia REGIONS;
SELECT COUNT(*), SUM(a) FROM t;
SELECT id FROM t WHERE id IN (1, 224, 225, 226, 449, 450, 676, 900) ORDER BY id;
SELECT id FROM t WHERE id > 220 AND id < 230 ORDER BY id DESC;
SELECT COUNT(b) FROM t USE INDEX (ia) WHERE a > 8 AND a < 22;
UPDATE t SET a = a + 1 WHERE id > 400 AND id < 500;
ADMIN CHECK TABLE t;
ADMIN CHECKSUM TABLE t;
CREATE TABLE pre (id BIGINT PRIMARY KEY NONCLUSTERED, v INT) SHARD_ROW_ID_BITS = 2 PRE_SPLIT_REGIONS = 2;
INSERT INTO pre VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6);
SELECT * FROM pre ORDER BY id;
--@ regions
--@ pause
SHOW TABLE pre REGIONS;
CREATE TABLE sp (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2;
--@ pause
SPLIT PARTITION TABLE sp BY (500);
--@ regions
SHOW TABLE sp PARTITION (p1) REGIONS;
SELECT tidb_table_id, table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1;
SELECT partition_name, tidb_partition_id FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = 'sp' ORDER BY 1;
SELECT job_type, db_name, table_name, state, table_id, row_count FROM information_schema.ddl_jobs WHERE db_name = DATABASE() ORDER BY job_id;
--@ shape
ADMIN SHOW DDL JOBS 3;
--@ shape
ADMIN SHOW DDL;
SELECT COUNT(*) > 0 FROM information_schema.tikv_region_status WHERE db_name = DATABASE() AND table_name = 't';
SELECT COUNT(*) > 0 FROM information_schema.tikv_region_peers;
SELECT store_state_name FROM information_schema.tikv_store_status;
SELECT type, COUNT(*) FROM information_schema.cluster_info GROUP BY type ORDER BY type;
SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'mysql';
SELECT table_name, tidb_table_id FROM information_schema.tables WHERE table_schema = 'mysql' ORDER BY tidb_table_id;
SELECT schema_name FROM information_schema.schemata ORDER BY 1;
--@ shape
SHOW STATS_HEALTHY WHERE db_name = DATABASE();
--@ shape
SHOW ANALYZE STATUS WHERE table_schema = DATABASE();
--@ ignore
SHOW CONFIG WHERE type = 'none';
--@ ignore
SHOW PROCESSLIST;
--@ ignore
SELECT * FROM information_schema.tidb_trx;
--@ ignore
SELECT * FROM information_schema.data_lock_waits;
--@ ignore
SELECT * FROM information_schema.deadlocks;
SELECT TIDB_DECODE_KEY('7480000000000000FF0F5F728000000000FF0000010000000000FA') IS NOT NULL;
SELECT VARIABLE_NAME FROM mysql.tidb WHERE VARIABLE_NAME = 'bootstrapped';
CREATE DATABASE other;
CREATE TABLE other.t (id INT PRIMARY KEY);
ALTER DATABASE other CHARACTER SET utf8mb4;
DROP DATABASE other;
--@ error 1049
USE other;
CREATE TABLE cached (id INT PRIMARY KEY, v INT);
INSERT INTO cached VALUES (1, 1), (2, 2);
ALTER TABLE cached CACHE;
SELECT * FROM cached WHERE id = 1;
SELECT * FROM cached ORDER BY id;
INSERT INTO cached VALUES (3, 3);
SELECT COUNT(*) FROM cached;
ALTER TABLE cached NOCACHE;
CREATE RESOURCE GROUP rg RU_PER_SEC = 1000;
SELECT name, ru_per_sec FROM information_schema.resource_groups ORDER BY name;
ALTER RESOURCE GROUP rg RU_PER_SEC = 2000 BURSTABLE;
DROP RESOURCE GROUP rg;
