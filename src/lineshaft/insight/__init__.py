"""What the figures are: KPIs, service levels, and the rollups from which they are read without scans."""
