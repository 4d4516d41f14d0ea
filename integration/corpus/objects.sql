-- Views, sequences, temporary tables, foreign keys, generated columns, users.
CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(10));
CREATE TABLE child (id INT PRIMARY KEY, pid INT, CONSTRAINT fk FOREIGN KEY (pid) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE orphan (id INT PRIMARY KEY, pid INT, FOREIGN KEY (pid) REFERENCES parent (id) ON DELETE SET NULL);
CREATE TABLE strict (id INT PRIMARY KEY, pid INT, FOREIGN KEY (pid) REFERENCES parent (id));
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);
INSERT INTO orphan VALUES (20, 1), (21, 2);
INSERT INTO strict VALUES (30, 3);
--@ error 1452
INSERT INTO child VALUES (13, 99);
--@ error 1451
DELETE FROM parent WHERE id = 3;
DELETE FROM parent WHERE id = 1;
--@ error 1451
UPDATE parent SET id = 22 WHERE id = 2;
DELETE FROM orphan WHERE id = 21;
UPDATE parent SET id = 22 WHERE id = 2;
--@ error 3730
DROP TABLE parent;
SELECT * FROM child ORDER BY id;
SELECT * FROM orphan ORDER BY id;
CREATE VIEW v AS SELECT p.id, p.name, COUNT(c.id) AS children FROM parent p LEFT JOIN child c ON c.pid = p.id GROUP BY p.id, p.name;
SELECT * FROM v ORDER BY id;
CREATE OR REPLACE VIEW v (x) AS SELECT name FROM parent WHERE id > 5;
SELECT * FROM v;
SHOW CREATE VIEW v;
DROP VIEW v;
CREATE SEQUENCE s START WITH 5 INCREMENT BY 3 CACHE 10;
SELECT NEXTVAL(s), NEXTVAL(s), LASTVAL(s);
SELECT SETVAL(s, 100);
SELECT NEXTVAL(s);
CREATE TABLE sq (id INT DEFAULT NEXT VALUE FOR s PRIMARY KEY, v INT);
INSERT INTO sq (v) VALUES (1), (2), (3);
SELECT * FROM sq ORDER BY id;
ALTER SEQUENCE s MAXVALUE 130 CYCLE;
CREATE SEQUENCE down START WITH 3 INCREMENT BY -1 MINVALUE 1 MAXVALUE 3 NOCACHE;
SELECT NEXTVAL(down);
SELECT NEXTVAL(down);
SELECT NEXTVAL(down);
--@ error 4135
SELECT NEXTVAL(down);
SHOW CREATE SEQUENCE s;
DROP SEQUENCE down;
CREATE TEMPORARY TABLE tl (id INT PRIMARY KEY, v INT, KEY (v));
INSERT INTO tl VALUES (1, 2), (2, 1);
SELECT * FROM tl WHERE v = 1;
SELECT p.id, tl.v FROM tl JOIN parent p ON p.id = tl.id + 1;
--@ session b
--@ error 1146
SELECT * FROM tl;
--@ session a
DROP TEMPORARY TABLE tl;
CREATE GLOBAL TEMPORARY TABLE tg (id INT PRIMARY KEY, v INT) ON COMMIT DELETE ROWS;
BEGIN;
INSERT INTO tg VALUES (1, 1), (2, 2);
SELECT * FROM tg WHERE id = 2;
SELECT SUM(v) FROM tg;
COMMIT;
SELECT * FROM tg;
DROP TABLE tg;
CREATE TABLE gen (a INT, b INT, s INT AS (a + b) STORED, v INT AS (a * b) VIRTUAL, j JSON, n VARCHAR(20) AS (JSON_UNQUOTE(j->'$.n')) VIRTUAL, KEY kv (v), UNIQUE KEY ks (s), KEY kn (n));
INSERT INTO gen (a, b, j) VALUES (1, 2, '{"n": "one"}'), (3, 4, '{"n": "two"}'), (5, 6, NULL);
--@ error 1062
INSERT INTO gen (a, b) VALUES (2, 1);
--@ error 3105
INSERT INTO gen (a, b, s) VALUES (1, 1, 1);
SELECT * FROM gen WHERE v = 12;
SELECT a FROM gen WHERE n = 'one';
UPDATE gen SET a = a + 1;
SELECT * FROM gen ORDER BY a;
ALTER TABLE gen ADD COLUMN w INT AS (s + v) VIRTUAL;
ALTER TABLE gen ADD INDEX kw (w);
SELECT w FROM gen WHERE w > 10 ORDER BY w;
ADMIN CHECK TABLE gen;
CREATE TABLE ck (a INT CHECK (a > 0), b INT);
SET @@GLOBAL.tidb_enable_check_constraint = ON;
CREATE TABLE ck2 (a INT, CONSTRAINT positive CHECK (a > 0));
--@ error 3819
INSERT INTO ck2 VALUES (0);
CREATE USER IF NOT EXISTS 'reader'@'%' IDENTIFIED BY 'secret';
GRANT SELECT ON objects.* TO 'reader'@'%';
SHOW GRANTS FOR 'reader'@'%';
CREATE ROLE 'r1';
GRANT 'r1' TO 'reader'@'%';
SELECT user, host FROM mysql.user ORDER BY user;
DROP USER 'reader'@'%';
DROP ROLE 'r1';
CREATE PLACEMENT POLICY pp FOLLOWERS = 2;
--@ shape
SHOW PLACEMENT;
DROP PLACEMENT POLICY pp;
CREATE GLOBAL BINDING FOR SELECT * FROM parent WHERE id = 1 USING SELECT * FROM parent IGNORE INDEX (PRIMARY) WHERE id = 1;
SELECT original_sql FROM mysql.bind_info WHERE default_db = 'objects';
DROP GLOBAL BINDING FOR SELECT * FROM parent WHERE id = 1;
