-- The rows that a new tenant starts with.
INSERT INTO tenants (id, slug, created) VALUES (1, 'testsite', '2025-01-10'), (2, 'harbour', '2025-03-02'), (3, 'meadow', '2025-06-21');
INSERT INTO segments (id, tenant_id, name) VALUES
  (1, 1, 'north'), (2, 1, 'south'), (3, 1, 'east'), (4, 2, 'pier'), (5, 2, 'dock'), (6, 3, 'creek'), (7, 3, 'orchard');
