"""What events say about orders, assets, stock and quality, as rows that consumers read."""

from lineshaft.ledger.projections.plants import PlantReads
from lineshaft.ledger.projections.projections import Projections
from lineshaft.ledger.projections.reading import ProjectionReads
from lineshaft.ledger.projections.status import ProjectionStatus, status_of

__all__ = ["PlantReads", "ProjectionReads", "ProjectionStatus", "Projections", "status_of"]
