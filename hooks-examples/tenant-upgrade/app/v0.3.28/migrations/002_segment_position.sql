ALTER TABLE segments ADD COLUMN position INTEGER;
UPDATE segments SET position = (SELECT count(*) FROM segments AS other WHERE other.tenant_id = segments.tenant_id AND other.id <= segments.id);
