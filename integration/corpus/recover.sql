-- Dropped and truncated tables brought back.
INSERT HIGH_PRIORITY INTO mysql.tidb VALUES ('tikv_gc_safe_point', '20200101-00:00:00.000 +0000', 'corpus') ON DUPLICATE KEY UPDATE variable_value = variable_value;
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT, KEY (v));
INSERT INTO t (v) VALUES (10), (20), (30);
DROP TABLE t;
--@ error 1146
SELECT * FROM t;
RECOVER TABLE t;
SELECT * FROM t ORDER BY id;
INSERT INTO t (v) VALUES (40);
SELECT COUNT(*), SUM(v) FROM t;
ADMIN CHECK TABLE t;
TRUNCATE TABLE t;
SELECT COUNT(*) FROM t;
FLASHBACK TABLE t TO before_truncate;
SELECT id < 10, v FROM before_truncate WHERE id < 10 ORDER BY id;
ADMIN CHECK TABLE before_truncate;
DROP TABLE before_truncate;
FLASHBACK TABLE before_truncate TO again;
SELECT SUM(v) FROM again;
CREATE TABLE part (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO part VALUES (1, 1), (2, 2), (3, 3), (4, 4);
DROP TABLE part;
FLASHBACK TABLE part;
SELECT * FROM part ORDER BY id;
CREATE DATABASE gone;
CREATE TABLE gone.t (id INT PRIMARY KEY);
INSERT INTO gone.t VALUES (1), (2);
DROP DATABASE gone;
--@ error 1049
USE gone;
FLASHBACK DATABASE gone TO back;
SELECT COUNT(*) FROM back.t;
DROP DATABASE back;
