"""What the course draws and speaks itself, so that every lesson runs where no real data is at hand."""
