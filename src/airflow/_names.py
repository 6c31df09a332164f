"""The table of Airflow's names. `NAMES` are current paths, `MOVED` are old ones, which warn.

A line is: module, where its objects live, names. `old=new` is a name that is called otherwise there, `name=.` is the
home module itself, `*` is every name of the home.
"""

NAMES = """\
airflow gnomon.sdk DAG Asset XComArg
airflow airflow.version version=.
airflow airflow.settings settings=.
airflow airflow.configuration configuration=.
airflow.version airflow version=__version__
airflow.configuration gnomon.service.config conf
airflow.configuration gnomon.sdk.exceptions AirflowConfigException
airflow.exceptions gnomon.sdk.exceptions *
airflow.sdk gnomon.sdk *
airflow.sdk gnomon.sdk.timezone timezone=.
airflow.sdk.exceptions gnomon.sdk.exceptions *
airflow.sdk.timezone gnomon.sdk.timezone *
airflow.sdk.configuration gnomon.service.config conf
airflow.sdk.bases.operator gnomon.sdk.operator BaseOperator
airflow.sdk.bases.operator gnomon.sdk.edges chain chain_linear cross_downstream
airflow.sdk.bases.decorator gnomon.sdk.taskflow *
airflow.providers.standard.operators.python gnomon.sdk.standard.python *
airflow.providers.standard.operators.bash gnomon.sdk.standard.bash BashOperator
airflow.providers.standard.operators.empty gnomon.sdk.standard.empty EmptyOperator
airflow.providers.standard.version gnomon.sdk.standard __version__
airflow.utils.helpers gnomon.sdk.edges chain cross_downstream
airflow.utils.log.logging_mixin gnomon.sdk.log LoggingMixin ExternalLoggingMixin StreamLogWriter remove_escape_codes
airflow.utils.state gnomon.model.states TaskInstanceState DagRunState
airflow.models.taskinstance gnomon.sdk.runtime.task_instance TaskInstance=RuntimeTaskInstance TaskInstanceKey
airflow.models gnomon.sdk DAG BaseOperator Variable Connection Param XComArg
"""

MOVED = """\
airflow gnomon.sdk Dataset
airflow.decorators airflow.sdk dag task task_group setup teardown
airflow.operators.python airflow.providers.standard.operators.python *
airflow.operators.bash airflow.providers.standard.operators.bash BashOperator
airflow.operators.empty airflow.providers.standard.operators.empty EmptyOperator
"""
