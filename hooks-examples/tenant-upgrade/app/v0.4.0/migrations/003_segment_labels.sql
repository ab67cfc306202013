CREATE TABLE segment_labels (segment_id INTEGER NOT NULL REFERENCES segments (id), label TEXT NOT NULL, PRIMARY KEY (segment_id, label));
INSERT INTO segment_labels (segment_id, label) SELECT id, 'tenant-' || tenant_id FROM segments;
