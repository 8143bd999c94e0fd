"""Worker processes: single jobs for Blender, pools and clusters for the command line."""
