-- Transactions of every kind, with two sessions that get in each other's way.
CREATE TABLE a (id INT PRIMARY KEY, v INT, u INT, UNIQUE KEY (u));
INSERT INTO a VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3);
--@ session b
SET innodb_lock_wait_timeout = 1;
--@ session a
BEGIN PESSIMISTIC;
UPDATE a SET v = 11 WHERE id = 1;
--@ session b
SELECT v FROM a WHERE id = 1;
BEGIN;
--@ error 3572
SELECT * FROM a WHERE id = 1 FOR UPDATE NOWAIT;
--@ error 1205
UPDATE a SET v = 12 WHERE id = 1;
--@ error 1205
INSERT INTO a VALUES (1, 1, 9);
SELECT * FROM a WHERE id = 2 FOR UPDATE;
ROLLBACK;
--@ session a
COMMIT;
--@ session b
SELECT v FROM a WHERE id = 1;
BEGIN OPTIMISTIC;
SELECT v FROM a WHERE id = 2;
UPDATE a SET v = v + 1 WHERE id = 2;
--@ session a
UPDATE a SET v = 200 WHERE id = 2;
--@ session b
SET tidb_disable_txn_auto_retry = ON;
--@ error 9007
COMMIT;
SELECT * FROM a WHERE id = 2;
--@ session a
BEGIN PESSIMISTIC;
UPDATE a SET v = 1 WHERE id = 1;
--@ session b
SET innodb_lock_wait_timeout = 50;
BEGIN PESSIMISTIC;
UPDATE a SET v = 2 WHERE id = 2;
--@ background
UPDATE a SET v = 2 WHERE id = 1;
--@ session a
--@ pause
--@ error 1213
UPDATE a SET v = 1 WHERE id = 2;
ROLLBACK;
--@ join b
--@ session b
COMMIT;
SELECT * FROM a ORDER BY id;
--@ session a
BEGIN PESSIMISTIC;
SELECT * FROM a WHERE id > 1 FOR UPDATE;
--@ session b
--@ background
UPDATE a SET v = v + 1000 WHERE id = 3;
--@ session a
--@ pause
UPDATE a SET v = v + 1 WHERE id = 3;
COMMIT;
--@ join b
SELECT * FROM a ORDER BY id;
BEGIN;
INSERT INTO a VALUES (4, 40, 4);
SAVEPOINT s1;
INSERT INTO a VALUES (5, 50, 5);
ROLLBACK TO s1;
SELECT COUNT(*) FROM a;
--@ error 1062
INSERT INTO a VALUES (6, 60, 1);
COMMIT;
SELECT * FROM a ORDER BY id;
SET tidb_enable_async_commit = ON, tidb_enable_1pc = OFF;
BEGIN;
UPDATE a SET v = v + 1 WHERE id IN (1, 2, 3);
INSERT INTO a VALUES (7, 70, 7);
COMMIT;
SET tidb_enable_async_commit = OFF, tidb_enable_1pc = ON;
UPDATE a SET v = v * 2 WHERE id = 7;
INSERT INTO a VALUES (8, 80, 8), (9, 90, 9);
SET tidb_enable_async_commit = OFF, tidb_enable_1pc = OFF;
BEGIN;
DELETE FROM a WHERE id = 8;
UPDATE a SET u = 80 WHERE id = 9;
COMMIT;
SET tidb_guarantee_linearizability = OFF, tidb_enable_async_commit = ON;
UPDATE a SET v = v + 3 WHERE id > 6;
SELECT * FROM a ORDER BY id;
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
BEGIN;
SELECT v FROM a WHERE id = 1;
--@ session b
UPDATE a SET v = 77 WHERE id = 1;
--@ session a
SELECT v FROM a WHERE id = 1;
UPDATE a SET v = v + 1 WHERE id = 1;
COMMIT;
SELECT v FROM a WHERE id = 1;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SET tidb_constraint_check_in_place_pessimistic = OFF;
BEGIN PESSIMISTIC;
INSERT INTO a VALUES (1, 0, 0);
--@ error 8141
COMMIT;
SET tidb_constraint_check_in_place_pessimistic = ON;
SET autocommit = 0;
UPDATE a SET v = 5 WHERE id = 9;
ROLLBACK;
SET autocommit = 1;
SELECT v FROM a WHERE id = 9;
START TRANSACTION WITH CONSISTENT SNAPSHOT;
SELECT COUNT(*) FROM a;
--@ session b
DELETE FROM a WHERE id = 9;
--@ session a
SELECT COUNT(*) FROM a;
COMMIT;
SELECT COUNT(*) FROM a;
SET tidb_enable_noop_functions = ON;
START TRANSACTION READ ONLY;
SELECT COUNT(*) FROM a;
COMMIT;
CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(400), k INT, KEY (k));
SET cte_max_recursion_depth = 30000;
BEGIN;
INSERT INTO big WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 12000) SELECT n, REPEAT(CHAR(97 + n % 26), 300), n % 100 FROM s;
UPDATE big SET v = CONCAT(v, 'z') WHERE k < 50;
COMMIT;
SELECT COUNT(*), SUM(LENGTH(v)), SUM(k) FROM big;
DELETE FROM big WHERE k >= 50;
SET tidb_dml_type = 'bulk';
CREATE TABLE bulk (id INT PRIMARY KEY, v VARCHAR(400), k INT, KEY (k));
INSERT INTO bulk SELECT id, v, k FROM big;
UPDATE bulk SET k = k + 1 WHERE id % 2 = 0;
DELETE FROM bulk WHERE id % 10 = 3;
SET tidb_dml_type = 'standard';
SELECT COUNT(*), SUM(LENGTH(v)), SUM(k) FROM bulk;
ADMIN CHECK TABLE big;
ADMIN CHECK TABLE bulk;
ADMIN CHECKSUM TABLE big;
ADMIN CHECKSUM TABLE bulk;
BATCH ON id LIMIT 500 UPDATE bulk SET k = 1 WHERE k > 40;
SELECT SUM(k) FROM bulk;
CREATE TABLE old (id INT PRIMARY KEY, v INT);
INSERT INTO old VALUES (1, 1), (2, 2);
--@ pause
SET @before = NOW(6);
--@ pause
UPDATE old SET v = v + 100;
INSERT INTO old VALUES (3, 3);
SELECT * FROM old AS OF TIMESTAMP @before ORDER BY id;
START TRANSACTION READ ONLY AS OF TIMESTAMP @before;
SELECT SUM(v) FROM old;
SELECT * FROM old WHERE id IN (1, 3);
COMMIT;
SET tidb_snapshot = @before;
SELECT COUNT(*) FROM old;
--@ error 1105
UPDATE old SET v = 0;
SET tidb_snapshot = '';
SET tidb_replica_read = 'leader';
SELECT COUNT(*) FROM old;
SET tidb_read_staleness = '-1';
--@ ignore
SELECT COUNT(*) FROM old;
SET tidb_read_staleness = '';
SELECT * FROM old ORDER BY id;
LOCK STATS old;
UNLOCK STATS old;
SELECT GET_LOCK('corpus', 1);
--@ session b
SELECT GET_LOCK('corpus', 0);
--@ session a
SELECT RELEASE_LOCK('corpus');
