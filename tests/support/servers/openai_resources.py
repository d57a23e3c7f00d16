"""Resources that OpenAI keeps, as its API returns them: a batch, a file, a fine-tuning job, a video."""

from __future__ import annotations

JSON = dict[str, object]

BATCH: JSON = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/embeddings",
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "in_progress",  # of a completed one LiteLLM fetches the results in the background, to price them
    "created_at": 1,
    "request_counts": {"total": 5, "completed": 3, "failed": 2},
}
FILE: JSON = {"id": "file-1", "object": "file", "bytes": 12, "created_at": 1, "filename": "a", "purpose": "batch"}
TUNING: JSON = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "created_at": 1,
    "model": "gpt-4o-mini",
    "organization_id": "org",
    "result_files": [],
    "seed": 1,
    "status": "queued",
    "training_file": "file-1",
    "hyperparameters": {"n_epochs": 1},
}
VIDEO: JSON = {
    "id": "video_123",
    "object": "video",
    "status": "queued",
    "created_at": 1_700_000_000,
    "progress": 30,
    "seconds": "4",
    "size": "720x1280",
    "model": "sora-2-2025-10-06",
}
