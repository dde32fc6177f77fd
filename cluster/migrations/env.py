"""What Alembic runs to change the tables: on the connection and in the transaction of its caller.

There is no offline form and no configuration file: `cluster.database` is the one way in.
"""

from alembic import context

from cluster.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
)
context.run_migrations()
