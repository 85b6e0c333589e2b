"""The tables of ``project.sqlite`` as they are now. Older ones: ``migrations.py``."""

from __future__ import annotations

SCHEMA_VERSION = 3
"""1: first. 2: jobs, so that interrupted work resumes. 3: the pixel size by which each
crop was cut, so that a corrected one cuts it anew."""

JOB_TABLE = """
CREATE TABLE job (
    key TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    data TEXT NOT NULL,
    time TEXT NOT NULL
)"""

CUT_TABLE = """
CREATE TABLE cut (
    id INTEGER PRIMARY KEY,
    mpp REAL NOT NULL,
    crop INTEGER NOT NULL,
    cells BLOB NOT NULL,
    boxes BLOB NOT NULL
)"""
"""Crops cut anew by another pixel size: of which cells, and of which of their boxes:
the event that gave it, 0 for the first. Packed as little-endian int64."""

TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """
CREATE TABLE class (
    position INTEGER PRIMARY KEY,
    concept TEXT NOT NULL UNIQUE,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    lineage TEXT NOT NULL,
    keys TEXT NOT NULL,
    colour TEXT NOT NULL,
    symbol TEXT NOT NULL,
    neighbours TEXT NOT NULL,
    abstain INTEGER NOT NULL,
    aliases TEXT NOT NULL
)""",
    """
CREATE TABLE smear (
    id INTEGER PRIMARY KEY,
    uri TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    mpp REAL,
    "group" TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    stain TEXT NOT NULL,
    calibration TEXT
)""",
    # One row a run of cells found together, columns packed as little-endian arrays: a
    # million cells open in a moment, because no Python object is made for each. Crops
    # were cut by "mpp"; "under" is the event of a search anew, 0 for the first.
    """
CREATE TABLE cell (
    first INTEGER PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count > 0),
    smear INTEGER NOT NULL REFERENCES smear (id),
    crop INTEGER NOT NULL,
    boxes BLOB NOT NULL,
    scores BLOB NOT NULL,
    edges BLOB NOT NULL,
    kinds BLOB NOT NULL,
    mpp REAL,
    under INTEGER NOT NULL DEFAULT 0
)""",
    # Polygons of a run end to end; "ends" says after how many points each one ends.
    """
CREATE TABLE outline (
    first INTEGER PRIMARY KEY REFERENCES cell (first),
    ends BLOB NOT NULL,
    points BLOB NOT NULL
)""",
    """
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    cell INTEGER,
    data TEXT NOT NULL,
    annotator TEXT NOT NULL,
    mode TEXT NOT NULL,
    model TEXT NOT NULL,
    time TEXT NOT NULL
)""",
    """
CREATE TABLE provenance (
    id INTEGER PRIMARY KEY,
    generator TEXT NOT NULL,
    weights TEXT NOT NULL,
    config TEXT NOT NULL,
    seed TEXT NOT NULL,
    parents TEXT NOT NULL,
    version TEXT NOT NULL,
    time TEXT NOT NULL
)""",
    """
CREATE TABLE synthetic (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    status TEXT NOT NULL,
    verified INTEGER NOT NULL,
    picture INTEGER NOT NULL,
    assessments TEXT NOT NULL,
    provenance INTEGER NOT NULL REFERENCES provenance (id)
)""",
    """
CREATE TABLE model (
    name TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    meta_sha256 TEXT NOT NULL,
    time TEXT NOT NULL
)""",
    JOB_TABLE,
    CUT_TABLE,
)
"""Statements that make an empty project."""
